#include "viz/cluster_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "topology/found_cluster_names.hpp"
#include "topology/found_paths.hpp"
#include "topology/summary.hpp"

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
/// Of reasons why nodes take nothing new; further ones begin again.
constexpr std::array<std::string_view, 4> reason_fills{"#bdbdbd", "#8c8c8c", "#dedede", "#a6a6a6"};
constexpr std::string_view nobody_fill = "#ffffff";

ClusterMap frame_of(const FoundCluster& found, std::string what) {
  topology::DomainPaths paths = topology::domain_paths(found);
  int gpus = 0;
  for (const FoundNode& node : found.nodes) gpus += topology::usable_gpus_of(node);
  ClusterMap map;
  map.title = fmt::format("{} nodes{}: {}",
                          topology::grouped(static_cast<std::int64_t>(found.nodes.size())),
                          gpus == 0 ? "" : fmt::format(", {} GPUs", topology::grouped(gpus)), what);
  map.levels = std::move(paths.levels);
  map.domains = std::move(paths.of_node);
  std::map<std::string, std::size_t> more;  // switches beside the one that a domain is named for
  for (const std::vector<std::string>& switches : paths.merged)
    more[switches.front()] = switches.size() - 1;
  for (std::vector<std::string>& path : map.domains)
    for (std::string& domain : path)
      if (const auto others = more.find(domain); others != more.end())
        domain += fmt::format(" +{}", others->second);
  return map;
}

std::string title_of(const FoundNode& node) {
  std::string title = node.name;
  if (!node.type.empty()) title += ", " + node.type;
  if (!node.unavailable.empty()) title += ", " + node.unavailable;
  if (node.free_gpus >= 0)
    title += fmt::format(", {} of {} GPUs free", node.free_gpus, topology::usable_gpus_of(node));
  for (const topology::Occupant& one : node.occupants)
    title += fmt::format("; {} ({} GPUs)", one.job.empty() ? one.pod : one.job, one.gpus);
  return title;
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
    const int usable = topology::usable_gpus_of(node);
    int colour = node.free_gpus < 0         ? unknown
                 : node.free_gpus >= usable ? free_node
                 : node.free_gpus > 0       ? partly_free
                                            : taken;
    if (!node.unavailable.empty()) {
      const auto [at, is_new] =
          reasons.emplace(node.unavailable, static_cast<int>(map.legend.size()));
      if (is_new)
        map.legend.push_back(
            {node.unavailable,
             std::string(reason_fills[(reasons.size() - 1) % reason_fills.size()])});
      colour = at->second;
    }
    map.cells.push_back({colour, node.name, title_of(node)});
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
                         node.name, title_of(node)});
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

}  // namespace viz
