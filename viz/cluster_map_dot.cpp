#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "topology/node_tally.hpp"
#include "viz/cluster_map.hpp"
#include "viz/terminal.hpp"

/// Places of everything in a map are computed here and Graphviz only draws them (its layout "nop"):
/// none of its layouts nests frames in the shape of a screen. Lengths are points, y grows downwards
/// until it is written.
namespace viz {

namespace {

/// Up to this many nodes each is a cell; beyond, domains show shares.
constexpr std::size_t cells_max = 4096;
/// Up to this many lowest domains are frames; beyond, those above them show shares.
constexpr std::size_t frames_max = 1024;
/// Up to this many nodes cells have room for a text.
constexpr std::size_t texts_max = 256;

constexpr double screen = 1.6;  ///< width to height that a map should have
constexpr double cell_side = 14;
constexpr double gap = 2;        ///< between cells
constexpr double frame_gap = 5;  ///< between frames, and from a frame to what is in it
constexpr double bar_width = 120;
constexpr double title_size = 18;
constexpr double legend_size = 12;
constexpr double text_size = 8;
constexpr int text_columns = 16;

/// A guess on the wide side, as the font that will be used is not known: figures of DejaVu Sans,
/// the widest that is common, in parts of the font's size.
double text_width(std::string_view text, double size) {
  double wide = 0;
  for (const char c : text)
    wide += std::string_view("mMwW@%").find(c) != std::string_view::npos ? 0.36
            : c >= 'A' && c <= 'Z'                                       ? 0.16
                                                                         : 0;
  return (width_of(text) * 0.64 + wide) * size + 7;
}

double line_height(double size) { return std::ceil(size * 1.4); }

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

/// At most `columns` wide: of long names the middle goes, as their ends tell them apart.
std::string shortened(std::string_view text, int columns) {
  const std::string name = printable(text);
  if (width_of(name) <= columns) return name;
  const int tail = columns * 2 / 3;
  std::size_t at = name.size();
  for (std::size_t i = name.size(); i-- > 0;) {
    if ((static_cast<unsigned char>(name[i]) & 0xC0) == 0x80) continue;
    if (width_of(std::string_view(name).substr(i)) > tail) break;
    at = i;
  }
  std::string head = fit(name, columns - tail);
  head.erase(head.find_last_not_of(' ') + 1);
  return head + name.substr(at);
}

struct Size {
  double width = 0;
  double height = 0;
};

struct Place {
  double x = 0;
  double y = 0;
};

/// Rows of boxes from the left, none wider than `limit` unless a box is. Places of their upper left
/// corners; gives the size of all.
Size shelves(const std::vector<Size>& boxes, double between, double limit,
             std::vector<Place>& places) {
  Size all;
  Place at;
  double row = 0;
  places.clear();
  for (const Size& box : boxes) {
    if (at.x > 0 && at.x + box.width > limit) at = {0, at.y + row + between}, row = 0;
    places.push_back(at);
    row = std::max(row, box.height);
    all = {std::max(all.width, at.x + box.width), at.y + row};
    at.x += box.width + between;
  }
  return all;
}

/// The rows whose shape is nearest to a screen's.
Size packed(const std::vector<Size>& boxes, double between, std::vector<Place>& places) {
  constexpr double step = 1.08;
  double widest = 0;
  double total = 0;
  for (const Size& box : boxes) {
    widest = std::max(widest, box.width);
    total += box.width + between;
  }
  double best = widest;
  double least = std::numeric_limits<double>::max();
  for (double limit = widest; limit < total * step; limit *= step) {
    const Size all = shelves(boxes, between, limit, places);
    const double off = std::abs(std::log(all.width / all.height / screen));
    if (off < least) least = off, best = limit;
  }
  return shelves(boxes, between, best, places);
}

struct Domain {
  std::string name;
  std::map<std::string, std::size_t> by_name;
  std::vector<std::size_t> children;
  std::vector<std::size_t> nodes;  ///< directly in it
  std::size_t below = 0;           ///< nodes in it and in those inside it
  std::string caption;
  double caption_size = 0;
  Size size;
  double inside_top = 0;      ///< from its top to its children
  std::vector<Place> places;  ///< of its children, from where they begin
};

class MapWriter {
 public:
  explicit MapWriter(const ClusterMap& map) : map_(map) {
    domains_.emplace_back();
    const std::size_t depth = depth_shown();
    for (std::size_t i = 0; i < map.cells.size(); ++i) hang(i, depth);
    shares_ = map.cells.size() > cells_max || depth < map.levels.size();
    if (map.cells.size() <= texts_max)
      for (const MapCell& cell : map.cells)
        cell_width_ =
            std::max(cell_width_, text_width(shortened(cell.text, text_columns), text_size));
    for (std::size_t i = domains_.size(); i-- > 0;) measure(domains_[i]);
  }

  std::string write() {
    const double top = write_head(std::max(domains_[0].size.width, 400.0));
    write_domain(0, {0, top});
    return fmt::format(
        "digraph cluster_map {{\n"
        "  graph [layout=nop, outputorder=nodesfirst, pad=0.2];\n"
        "  node [shape=box, fixedsize=true, style=filled, fillcolor=white, color=\"#888888\", "
        "penwidth=0.7, margin=\"0.03,0.02\", fontname=Helvetica, fontsize={}, label=\"\"];\n"
        "{}}}\n",
        text_size, out_);
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
        domains_.emplace_back().name = path[level];
      }
      at = next;
      ++domains_[at].below;
    }
    domains_[at].nodes.push_back(node);
  }

  /// Cells in a row: about three for two rows; a whole power of two reads best.
  static std::size_t row_of(std::size_t count) {
    std::size_t width = 1;
    while (width * width * 2 < count * 3 && width < 32) width *= 2;
    return std::min(width, std::max<std::size_t>(count, 1));
  }

  /// \pre its children are measured: they come after it in `domains_`.
  void measure(Domain& domain) {
    const bool root = &domain == &domains_.front();
    const bool lowest = domain.children.empty();
    double width = 0;
    double height = 0;
    if (!root) {
      domain.caption_size = lowest ? 9 : 13;
      domain.caption =
          fmt::format("{} ({})", shortened(domain.name, lowest ? 16 : 32), domain.below);
      width = text_width(domain.caption, domain.caption_size);
      height = line_height(domain.caption_size);
    }
    if (!domain.nodes.empty()) {
      const auto row = static_cast<double>(row_of(domain.nodes.size()));
      const double rows = std::ceil(static_cast<double>(domain.nodes.size()) / row);
      const Size cells =
          shares_ ? Size{bar_width, cell_side}
                  : Size{row * (cell_width_ + gap) - gap, rows * (cell_side + gap) - gap};
      width = std::max(width, cells.width);
      height += cells.height + (lowest ? 0 : frame_gap);
    }
    domain.inside_top = height;
    if (!lowest) {
      std::vector<Size> boxes;
      for (const std::size_t child : domain.children) boxes.push_back(domains_[child].size);
      const Size all = packed(boxes, frame_gap, domain.places);
      width = std::max(width, all.width);
      height += all.height;
    }
    const double edge = root ? 0 : frame_gap;
    domain.size = {width + 2 * edge, height + edge};
  }

  void box(Place at, Size size, const std::string& attributes) {
    out_ += fmt::format("  b{} [pos=\"{:g},{:g}\", width={:.5g}, height={:.5g}{}{}];\n", boxes_++,
                        at.x + size.width / 2, -(at.y + size.height / 2), size.width / 72,
                        size.height / 72, attributes.empty() ? "" : ", ", attributes);
  }

  void text(Place at, const std::string& words, double size) {
    box(at, {text_width(words, size), line_height(size)},
        fmt::format("shape=plaintext, style=\"\", fontsize={}, label=\"{}\\l\"", size,
                    escaped(words)));
  }

  /// The title and the legend, wrapped at `width`; gives where the map begins.
  double write_head(double width) {
    text({0, 0}, map_.title, title_size);
    std::vector<int> used(map_.legend.size(), 0);
    for (const MapCell& cell : map_.cells) ++used[static_cast<std::size_t>(cell.colour)];
    Place at{0, line_height(title_size) + frame_gap};
    for (std::size_t i = 0; i < map_.legend.size(); ++i) {
      if (used[i] == 0) continue;
      const std::string words = fmt::format("{}: {}", shortened(map_.legend[i].name, 40),
                                            topology::count_of(used[i], "node"));
      const double taken = cell_side + gap + text_width(words, legend_size) + 2 * frame_gap;
      if (at.x > 0 && at.x + taken > width) at = {0, at.y + line_height(legend_size)};
      box({at.x, at.y + 1}, {cell_side, cell_side},
          fmt::format("fillcolor=\"{}\"", map_.legend[i].fill));
      text({at.x + cell_side + gap, at.y}, words, legend_size);
      at.x += taken;
    }
    return at.y + line_height(legend_size) + frame_gap;
  }

  void write_domain(std::size_t index, Place at) {
    const Domain& domain = domains_[index];
    if (index > 0) {
      box(at, domain.size,
          fmt::format(
              "labelloc=t, margin=\"0.04,0.04\", fontsize={}, label=\"{}\\l\", tooltip=\"{}\"",
              domain.caption_size, escaped(domain.caption), escaped(domain.name)));
      at.x += frame_gap;
    }
    const double below = index > 0 ? line_height(domain.caption_size) : 0;
    if (shares_ && !domain.nodes.empty()) write_bar(domain.nodes, {at.x, at.y + below});
    const std::size_t row = row_of(domain.nodes.size());
    for (std::size_t i = 0; !shares_ && i < domain.nodes.size(); ++i)
      write_cell(domain.nodes[i],
                 {at.x + static_cast<double>(i % row) * (cell_width_ + gap),
                  at.y + below + static_cast<double>(i / row) * (cell_side + gap)});
    for (std::size_t i = 0; i < domain.children.size(); ++i)
      write_domain(domain.children[i],
                   {at.x + domain.places[i].x, at.y + domain.inside_top + domain.places[i].y});
  }

  void write_cell(std::size_t node, Place at) {
    const MapCell& cell = map_.cells[node];
    std::string attributes =
        fmt::format("fillcolor=\"{}\", tooltip=\"{}\"",
                    map_.legend[static_cast<std::size_t>(cell.colour)].fill, escaped(cell.title));
    if (!cell.text.empty() && map_.cells.size() <= texts_max)
      attributes += fmt::format(", label=\"{}\"", escaped(shortened(cell.text, text_columns)));
    box(at, {cell_width_, cell_side}, attributes);
  }

  /// How many nodes have each colour, as parts of a bar; a number where there is room for it.
  void write_bar(const std::vector<std::size_t>& nodes, Place at) {
    std::vector<int> counts(map_.legend.size(), 0);
    for (const std::size_t node : nodes)
      ++counts[static_cast<std::size_t>(map_.cells[node].colour)];
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0) continue;
      const double width = bar_width * counts[i] / static_cast<double>(nodes.size());
      const std::string number = std::to_string(counts[i]);
      box(at, {width, cell_side},
          fmt::format("fillcolor=\"{}\", label=\"{}\", tooltip=\"{}: {}\"", map_.legend[i].fill,
                      text_width(number, text_size) <= width ? number : "",
                      escaped(map_.legend[i].name), topology::count_of(counts[i], "node")));
      at.x += width;
    }
  }

  const ClusterMap& map_;
  std::vector<Domain> domains_;  ///< each before those in it; the first is the whole
  bool shares_ = false;
  double cell_width_ = cell_side;
  std::string out_;
  int boxes_ = 0;
};

}  // namespace

std::string cluster_map_dot(const ClusterMap& map) { return MapWriter(map).write(); }

}  // namespace viz
