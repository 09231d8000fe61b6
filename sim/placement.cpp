#include "sim/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace sim {

const char* const placement_schema = "foreshard.placement.v1";

namespace {

using base::Diagnostics;

constexpr base::Range<int> gpus_of_a_node{1, 1024};

/// `nodes` and `ranks_per_node`, which the scenario and the file have alike.
Placement read_seats(base::MapReader& reader, const topology::Cluster& cluster,
                     Diagnostics& problems) {
  Placement placement;
  std::vector<base::PlacedText> names;
  const bool has_ranks = reader.read("ranks_per_node", placement.ranks_per_node, gpus_of_a_node);
  if (!reader.require("nodes", names)) return placement;
  if (names.empty()) reader.error("nodes", "'nodes' is empty", "name the nodes in rank order");
  base::Result<std::vector<int>> nodes = find_nodes(names, cluster);
  if (!nodes) {
    problems.insert(problems.end(), nodes.error().begin(), nodes.error().end());
    return placement;
  }
  placement.nodes = std::move(*nodes);
  for (std::size_t i = 0; i < placement.nodes.size(); ++i) {
    const topology::NodeInfo& node = cluster.nodes()[static_cast<std::size_t>(placement.nodes[i])];
    if (!node.unavailable.empty())
      problems.push_back(
          {names[i].where,
           fmt::format("node '{}' takes nothing new: {}", node.name, node.unavailable),
           "take another node, or make it available again"});
    else if (node.gpus == 0)
      problems.push_back(
          {names[i].where, fmt::format("node '{}' has no usable GPU", node.name), ""});
    else if (has_ranks && node.gpus < placement.ranks_per_node)
      problems.push_back({names[i].where,
                          fmt::format("node '{}' has {} usable GPUs, but 'ranks_per_node' is {}",
                                      node.name, node.gpus, placement.ranks_per_node),
                          "leave the node out, or lower 'ranks_per_node'"});
  }
  return placement;
}

}  // namespace

base::Result<std::vector<int>> find_nodes(const std::vector<base::PlacedText>& names,
                                          const topology::Cluster& cluster) {
  std::unordered_map<std::string_view, int> index;
  std::vector<std::string_view> known;
  for (const topology::NodeInfo& node : cluster.nodes()) {
    index.emplace(node.name, static_cast<int>(known.size()));
    known.emplace_back(node.name);
  }
  std::vector<int> nodes;
  Diagnostics problems;
  std::unordered_map<int, const base::PlacedText*> seen;
  for (const base::PlacedText& name : names) {
    const auto found = index.find(name.text);
    if (found == index.end()) {
      problems.push_back({name.where, fmt::format("unknown node '{}'", name.text),
                          base::suggest(name.text, known)});
      continue;
    }
    const auto [before, fresh] = seen.emplace(found->second, &name);
    if (!fresh)
      problems.push_back({name.where, fmt::format("node '{}' stands twice", name.text),
                          fmt::format("first in line {}", before->second->where.line)});
    nodes.push_back(found->second);
  }
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  return nodes;
}

Placement read_placement(base::MapReader& reader, const topology::Cluster& cluster,
                         Diagnostics& problems) {
  Placement placement = read_seats(reader, cluster, problems);
  reader.finish();
  return placement;
}

base::Result<Placement> read_placement_file(std::string_view text, const std::string& file,
                                            const topology::Cluster& cluster) {
  base::Result<base::Document> document = base::parse_json(text, file);
  if (!document) return tl::unexpected(std::move(document.error()));
  Diagnostics problems;
  base::MapReader reader(*document, document->root, "", problems);
  std::string schema;
  if (reader.require("schema", schema) && schema != placement_schema)
    reader.error("schema", fmt::format("this is no placement: its schema is '{}'", schema),
                 fmt::format("'place assign' writes {}", placement_schema));
  Placement placement = read_seats(reader, cluster, problems);
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  return placement;
}

std::vector<topology::GpuId> gpus_of(const Placement& placement, const topology::Cluster& cluster) {
  std::vector<topology::GpuId> gpus;
  const auto add = [&](const topology::NodeInfo& node) {
    const int ranks = placement.ranks_per_node == 0 ? node.gpus : placement.ranks_per_node;
    for (int i = 0; i < ranks; ++i) gpus.push_back(node.first_gpu + static_cast<unsigned>(i));
  };
  if (placement.nodes.empty())
    std::for_each(cluster.nodes().begin(), cluster.nodes().end(), add);
  else
    for (const int node : placement.nodes) add(cluster.nodes()[static_cast<std::size_t>(node)]);
  return gpus;
}

}  // namespace sim
