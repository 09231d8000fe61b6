#include "viz/cluster_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <utility>

#include "topology/found_paths.hpp"
#include "topology/node_tally.hpp"
#include "topology/summary.hpp"
#include "viz/terminal.hpp"

namespace viz {

namespace {

using topology::FoundCluster;
using topology::FoundNode;

/// Okabe and Ito's palette (2008), which colour-blind people tell apart, lightened for black text.
constexpr std::array<std::string_view, 8> palette{"#56b4e9", "#e69f00", "#8fd1b8", "#f0e442",
                                                  "#8cb0d9", "#e89a6c", "#dda6c6", "#b8a1d9"};
constexpr std::string_view free_fill = "#b7e1a1";
constexpr std::string_view partly_fill = "#ffe08a";
constexpr std::string_view taken_fill = "#6fa8dc";
constexpr std::string_view away_fill = "#bdbdbd";
constexpr std::string_view nobody_fill = "#ffffff";

ClusterMap frame_of(const FoundCluster& found, std::string what) {
  topology::DomainPaths paths = topology::domain_paths(found);
  int gpus = 0;
  for (const FoundNode& node : found.nodes)
    gpus += std::max(0, node.usable_gpus >= 0 ? node.usable_gpus : node.gpus);
  ClusterMap map;
  map.title = fmt::format("{} nodes, {} GPUs: {}",
                          topology::grouped(static_cast<std::int64_t>(found.nodes.size())),
                          topology::grouped(gpus), what);
  map.levels = std::move(paths.levels);
  map.domains = std::move(paths.of_node);
  return map;
}

std::string title_of(const FoundNode& node) {
  std::string title = node.name;
  if (!node.type.empty()) title += ", " + node.type;
  if (!node.unavailable.empty()) title += ", " + node.unavailable;
  if (node.free_gpus >= 0)
    title += fmt::format(", {} of {} GPUs free", node.free_gpus,
                         node.usable_gpus >= 0 ? node.usable_gpus : node.gpus);
  for (const topology::Occupant& one : node.occupants)
    title += fmt::format("; {} ({} GPUs)", one.job.empty() ? one.pod : one.job, one.gpus);
  return title;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  return out;
}

std::string shortened(std::string_view text, int width) {
  std::string name = fit(printable(text), width);
  return name.substr(0, name.find_last_not_of(' ') + 1);
}

}  // namespace

ClusterMap map_of_states(const FoundCluster& found) {
  ClusterMap map = frame_of(found, "who may use them");
  enum { free_node, partly_free, taken, unknown };
  map.legend = {{"free", std::string(free_fill)},
                {"partly free", std::string(partly_fill)},
                {"taken", std::string(taken_fill)},
                {"nobody said", std::string(nobody_fill)}};
  std::map<std::string, int> reasons;
  for (const FoundNode& node : found.nodes) {
    const int usable = node.usable_gpus >= 0 ? node.usable_gpus : node.gpus;
    int colour = node.free_gpus < 0         ? unknown
                 : node.free_gpus >= usable ? free_node
                 : node.free_gpus > 0       ? partly_free
                                            : taken;
    if (!node.unavailable.empty()) {
      const auto [at, is_new] =
          reasons.emplace(node.unavailable, static_cast<int>(map.legend.size()));
      if (is_new) map.legend.push_back({node.unavailable, std::string(away_fill)});
      colour = at->second;
    }
    map.cells.push_back({colour, "", title_of(node)});
  }
  return map;
}

ClusterMap map_of_jobs(const FoundCluster& found) {
  ClusterMap map = frame_of(found, "by job");
  std::map<std::string, int> gpus;
  for (const FoundNode& node : found.nodes)
    for (const topology::Occupant& one : node.occupants) gpus[one.job] += one.gpus;
  std::vector<std::pair<int, std::string>> jobs;
  for (const auto& [job, count] : gpus) jobs.emplace_back(-count, job);
  std::sort(jobs.begin(), jobs.end());
  map.legend = {{"no job", std::string(nobody_fill)}};
  std::map<std::string, int> colour_of;
  for (const auto& [count, job] : jobs) {
    if (colour_of.size() == palette.size()) break;
    colour_of[job] = static_cast<int>(map.legend.size());
    map.legend.push_back(
        {fmt::format("{} ({} GPUs)", job, -count), std::string(palette[colour_of.size() - 1])});
  }
  const int other = static_cast<int>(map.legend.size());
  if (jobs.size() > palette.size())
    map.legend.push_back(
        {fmt::format("{} smaller jobs", jobs.size() - palette.size()), std::string(away_fill)});
  for (const FoundNode& node : found.nodes) {
    const topology::Occupant* most = nullptr;
    for (const topology::Occupant& one : node.occupants)
      if (most == nullptr || one.gpus > most->gpus) most = &one;
    const auto known = most == nullptr ? colour_of.end() : colour_of.find(most->job);
    map.cells.push_back({most == nullptr            ? 0
                         : known == colour_of.end() ? other
                                                    : known->second,
                         "", title_of(node)});
  }
  return map;
}

ClusterMap map_of_ranks(const FoundCluster& found, const std::vector<int>& group_of_node,
                        const std::vector<int>& first_rank,
                        const std::vector<std::string>& group_names) {
  ClusterMap map = frame_of(found, "where the ranks sit");
  map.legend = {{"no rank", std::string(nobody_fill)}};
  const std::size_t coloured = std::min(group_names.size(), palette.size());
  for (std::size_t i = 0; i < coloured; ++i)
    map.legend.push_back({group_names[i], std::string(palette[i])});
  if (group_names.size() > coloured)
    map.legend.push_back(
        {fmt::format("{} more", group_names.size() - coloured), std::string(away_fill)});
  for (std::size_t i = 0; i < found.nodes.size(); ++i) {
    const int group = group_of_node[i];
    std::string text = group < 0 ? "" : std::to_string(first_rank[i]);
    map.cells.push_back({group < 0 ? 0 : std::min(group, static_cast<int>(coloured)) + 1, text,
                         title_of(found.nodes[i]) + (group < 0 ? "" : ", from rank " + text)});
  }
  return map;
}

namespace {

/// Up to this many nodes each is a cell; beyond, domains show shares.
constexpr std::size_t cells_max = 4096;
/// Up to this many lowest domains are frames; beyond, those above them show shares.
constexpr std::size_t frames_max = 1024;
/// Up to this many nodes cells have room for a text.
constexpr std::size_t texts_max = 256;

struct Domain {
  std::string name;
  std::map<std::string, std::size_t> by_name;
  std::vector<std::size_t> children;
  std::vector<std::size_t> nodes;  ///< directly in it
  std::size_t below = 0;           ///< nodes in it and in those inside it
};

class MapWriter {
 public:
  explicit MapWriter(const ClusterMap& map) : map_(map) {
    domains_.push_back({"cluster", {}, {}, {}, 0});
    const std::size_t depth = depth_shown();
    for (std::size_t i = 0; i < map.cells.size(); ++i) hang(i, depth);
    shares_ = map.cells.size() > cells_max || depth < map.levels.size();
  }

  std::string write() {
    std::string body;
    for (const std::string& row : rows_of_head()) body += row;
    body += "<tr><td align=\"left\">" + table_of(0) + "</td></tr>";
    return fmt::format(
        "digraph cluster_map {{\n"
        "  graph [fontname=Helvetica, pad=0.2];\n"
        "  map [shape=plain, fontname=Helvetica, fontsize=11, label=<<table border=\"0\" "
        "cellborder=\"0\" cellspacing=\"2\">{}</table>>];\n"
        "}}\n",
        body);
  }

 private:
  /// How many levels are frames: fewer where there would be too many to see.
  std::size_t depth_shown() const {
    for (std::size_t depth = map_.levels.size(); depth > 1; --depth) {
      std::map<std::vector<std::string>, int> frames;
      for (const std::vector<std::string>& path : map_.domains)
        ++frames[{path.begin(),
                  path.begin() + static_cast<std::ptrdiff_t>(std::min(depth, path.size()))}];
      if (frames.size() <= frames_max) return depth;
    }
    return std::min<std::size_t>(map_.levels.size(), 1);
  }

  void hang(std::size_t node, std::size_t depth) {
    std::size_t at = 0;
    ++domains_[0].below;
    const std::vector<std::string>& path = map_.domains[node];
    for (std::size_t level = 0; level < std::min(depth, path.size()); ++level) {
      if (path[level].empty()) continue;
      const auto [child, is_new] = domains_[at].by_name.emplace(path[level], domains_.size());
      const std::size_t next = child->second;
      if (is_new) {
        domains_[at].children.push_back(next);
        domains_.push_back({path[level], {}, {}, {}, 0});
      }
      at = next;
      ++domains_[at].below;
    }
    domains_[at].nodes.push_back(node);
  }

  std::vector<std::string> rows_of_head() const {
    std::vector<std::string> rows{fmt::format(
        "<tr><td align=\"left\"><font point-size=\"18\">{}</font></td></tr>", escaped(map_.title))};
    std::vector<int> used(map_.legend.size(), 0);
    for (const MapCell& cell : map_.cells) ++used[static_cast<std::size_t>(cell.colour)];
    std::string cells;
    for (std::size_t i = 0; i < map_.legend.size(); ++i)
      if (used[i] > 0)
        cells += fmt::format(
            "<td border=\"1\" bgcolor=\"{}\" width=\"18\" height=\"14\" fixedsize=\"true\"></td>"
            "<td>{}: {}  </td>",
            map_.legend[i].fill, escaped(shortened(map_.legend[i].name, 40)),
            topology::count_of(used[i], "node"));
    rows.push_back("<tr><td align=\"left\"><table border=\"0\" cellborder=\"0\"><tr>" + cells +
                   "</tr></table></td></tr>");
    return rows;
  }

  /// Cells in rows of `width`.
  static std::string grid(const std::vector<std::string>& cells, std::size_t width) {
    std::string out;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i % width == 0) out += i == 0 ? "<tr>" : "</tr><tr>";
      out += cells[i];
    }
    return cells.empty() ? "" : out + "</tr>";
  }

  /// About three cells wide for two high; a row of a whole power of two reads best.
  static std::size_t width_for(std::size_t count) {
    std::size_t width = 1;
    while (width * width * 2 < count * 3 && width < 32) width *= 2;
    return std::min(width, std::max<std::size_t>(count, 1));
  }

  std::string cell_of(std::size_t node) const {
    const MapCell& cell = map_.cells[node];
    const bool text = !cell.text.empty() && map_.cells.size() <= texts_max;
    return fmt::format(
        "<td border=\"1\" bgcolor=\"{}\" width=\"{}\" height=\"14\" fixedsize=\"true\" "
        "tooltip=\"{}\" href=\"#\">{}</td>",
        map_.legend[static_cast<std::size_t>(cell.colour)].fill, text ? 34 : 14,
        escaped(cell.title),
        text ? fmt::format("<font point-size=\"9\">{}</font>", escaped(cell.text)) : "");
  }

  /// How many nodes have each colour, as parts of a bar.
  std::string bar_of(const std::vector<std::size_t>& nodes) const {
    std::vector<int> counts(map_.legend.size(), 0);
    for (const std::size_t node : nodes)
      ++counts[static_cast<std::size_t>(map_.cells[node].colour)];
    constexpr double width = 120;
    std::string cells;
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts[i] > 0)
        cells += fmt::format(
            "<td border=\"0\" bgcolor=\"{}\" width=\"{}\" height=\"14\" fixedsize=\"true\">"
            "<font point-size=\"9\">{}</font></td>",
            map_.legend[i].fill,
            std::max(10, static_cast<int>(width * counts[i] / static_cast<double>(nodes.size()))),
            counts[i]);
    return "<tr><td><table border=\"1\" cellborder=\"0\" cellspacing=\"0\"><tr>" + cells +
           "</tr></table></td></tr>";
  }

  std::string table_of(std::size_t at) const {
    const Domain& domain = domains_[at];
    std::string rows;
    if (at > 0)
      rows += fmt::format(
          "<tr><td align=\"left\" colspan=\"64\" tooltip=\"{}\" href=\"#\"><font point-size=\"{}\">"
          "{} ({})</font></td></tr>",
          escaped(domain.name), domain.children.empty() ? 9 : 13,
          escaped(shortened(domain.name, domain.children.empty() ? 16 : 40)), domain.below);
    if (shares_ && !domain.nodes.empty()) {
      rows += bar_of(domain.nodes);
    } else {
      std::vector<std::string> cells;
      for (const std::size_t node : domain.nodes) cells.push_back(cell_of(node));
      rows += grid(cells, width_for(cells.size()));
    }
    std::vector<std::string> inside;
    for (const std::size_t child : domain.children)
      inside.push_back("<td align=\"left\" valign=\"top\">" + table_of(child) + "</td>");
    const bool leaves = std::all_of(domain.children.begin(), domain.children.end(),
                                    [&](std::size_t i) { return domains_[i].children.empty(); });
    const std::size_t width = leaves ? std::max<std::size_t>(width_for(inside.size()), 1)
                                     : std::max<std::size_t>(width_for(inside.size()) / 2, 1);
    if (!inside.empty())
      rows += "<tr><td colspan=\"64\"><table border=\"0\" cellborder=\"0\" cellspacing=\"3\">" +
              grid(inside, width) + "</table></td></tr>";
    return fmt::format(
        "<table border=\"{}\" color=\"#888888\" cellborder=\"0\" cellspacing=\"1\" "
        "cellpadding=\"1\">{}</table>",
        at > 0 ? 1 : 0, rows);
  }

  const ClusterMap& map_;
  std::vector<Domain> domains_;
  bool shares_ = false;
};

}  // namespace

std::string cluster_map_dot(const ClusterMap& map) { return MapWriter(map).write(); }

}  // namespace viz
