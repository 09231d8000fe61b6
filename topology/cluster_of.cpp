#include "topology/cluster_of.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "topology/found_cluster_names.hpp"
#include "topology/found_types.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::BytesPerSecond;
using base::Diagnostics;
using base::Severity;

constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

/// The cables between kept nodes and the switches that these reach.
class Cabler {
 public:
  Cabler(const FoundCluster& found, const std::vector<TypedNode>& nodes)
      : found_(found),
        nodes_(nodes),
        node_at_(found.nodes.size(), nowhere),
        switch_at_(found.switches.size(), nowhere) {
    for (std::size_t i = 0; i < nodes.size(); ++i) node_at_[nodes[i].index] = i;
    // An id may be the name of another switch, too.
    for (const FoundSwitch& one : found.switches) {
      ++uses_[one.name];
      if (one.id != one.name) ++uses_[one.id];
    }
  }

  Cabling run() {
    for (const FoundCable& cable : found_.cables) add_node_cable(cable);
    if (out_.node_cables.empty()) return {};
    reach_switches();
    for (const FoundCable& cable : found_.cables) add_trunk(cable);
    return std::move(out_);
  }

 private:
  bool used(std::size_t index) const {
    const FabricRole role = found_.switches[index].role;
    return role == FabricRole::unknown || role == FabricRole::compute;
  }

  static BytesPerSecond built_rate(const FoundCable& cable) {
    return cable.built > BytesPerSecond() ? cable.built : cable.rate;
  }

  static double rate_left(const FoundCable& cable) {
    if (cable.state == CableState::down) return 0;
    return cable.built > BytesPerSecond() && cable.rate > BytesPerSecond()
               ? std::min(1.0, cable.rate / cable.built)
               : 1;
  }

  std::size_t place_switch(std::size_t index) {
    std::size_t& at = switch_at_[index];
    if (at != nowhere) return at;
    at = out_.switches.size();
    const FoundSwitch& found = found_.switches[index];
    const bool named = !found.name.empty() && uses_.at(found.name) == 1;
    out_.switches.push_back({named ? found.name : found.id, std::max(found.tier, 1), found.rail});
    placed_.push_back(index);
    return at;
  }

  void add_node_cable(const FoundCable& cable) {
    const bool from_a = cable.a.at == CableEnd::At::node;
    const CableEnd& near = from_a ? cable.a : cable.b;
    const CableEnd& far = from_a ? cable.b : cable.a;
    if (near.at != CableEnd::At::node || far.at != CableEnd::At::fabric_switch) return;
    if (node_at_[near.index] == nowhere || !used(far.index)) return;
    const TypedNode& node = nodes_[node_at_[near.index]];
    const std::vector<FoundNic>& nics = found_.nodes[near.index].nics;
    const auto nic = std::find_if(node.nics.begin(), node.nics.end(),
                                  [&](std::size_t i) { return name_of(nics[i]) == near.nic; });
    if (nic == node.nics.end()) return;
    out_.node_cables.push_back({node_at_[near.index], static_cast<int>(nic - node.nics.begin()),
                                place_switch(far.index), built_rate(cable), rate_left(cable)});
  }

  /// All switches that can be come to from the nodes: a storage fabric without a node stays out.
  void reach_switches() {
    std::vector<std::vector<std::size_t>> next(found_.switches.size());
    for (const FoundCable& cable : found_.cables) {
      if (!is_trunk(cable)) continue;
      next[cable.a.index].push_back(cable.b.index);
      next[cable.b.index].push_back(cable.a.index);
    }
    for (std::size_t i = 0; i < placed_.size(); ++i)
      for (const std::size_t to : next[placed_[i]]) place_switch(to);
  }

  bool is_trunk(const FoundCable& cable) const {
    return cable.a.at == CableEnd::At::fabric_switch && cable.b.at == CableEnd::At::fabric_switch &&
           used(cable.a.index) && used(cable.b.index);
  }

  void add_trunk(const FoundCable& cable) {
    if (!is_trunk(cable)) return;
    std::size_t lower = switch_at_[cable.a.index];
    std::size_t upper = switch_at_[cable.b.index];
    if (lower == nowhere || lower == upper) return;
    if (out_.switches[lower].tier > out_.switches[upper].tier) std::swap(lower, upper);
    out_.trunks.push_back({lower, upper, built_rate(cable), rate_left(cable)});
  }

  const FoundCluster& found_;
  const std::vector<TypedNode>& nodes_;
  std::vector<std::size_t> node_at_;    ///< by found node: place among `nodes_`
  std::vector<std::size_t> switch_at_;  ///< by found switch: place in `out_`
  std::map<std::string, int> uses_;     ///< of names of switches
  std::vector<std::size_t> placed_;     ///< found switches in the order of `out_`
  Cabling out_;
};

/// One GPU model: a step forecast over two kinds would be the slower one's with the other's memory.
void check_one_gpu(const FoundCluster& found, const std::vector<TypedNode>& nodes,
                   Diagnostics& problems) {
  std::map<std::string, int> models;
  for (const TypedNode& node : nodes) ++models[node.type->gpu];
  if (models.size() < 2) return;
  std::vector<std::string> parts;
  for (const auto& [name, count] : models)
    parts.push_back(fmt::format("{} with {}", count_of(count, "node"), name));
  problems.push_back({found.nodes[nodes.front().index].where,
                      fmt::format("the cluster mixes GPU models: {}", fmt::join(parts, ", ")),
                      fmt::format("choose one, for example gpu: {}", nodes.front().type->gpu)});
}

}  // namespace

base::Result<ClusterSpec> cluster_of(const FoundCluster& found, const HardwareRegistry& registry,
                                     const ImportOptions& options) {
  Diagnostics problems;
  ClusterSpec spec;
  const std::string file = found.sources.empty() ? "cluster" : found.sources.front().file;
  spec.where = {file};
  spec.notes = found.notes;
  spec.levels = found.levels;
  if (!options.node_type.empty() && registry.find_node(options.node_type) == nullptr)
    problems.push_back({options.where.file.empty() ? spec.where : options.where,
                        fmt::format("unknown node type '{}'", options.node_type),
                        base::suggest(options.node_type, registry.node_names())});
  const std::vector<TypedNode> nodes = type_nodes(found, registry, options, spec, problems);
  if (nodes.empty() && problems.empty()) {
    problems.push_back({{file},
                        fmt::format("no usable GPU node among {}",
                                    count_of(static_cast<int>(found.nodes.size()), "node")),
                        ""});
    problems.insert(problems.end(), spec.notes.begin(), spec.notes.end());
  }
  check_one_gpu(found, nodes, problems);
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  for (const TypedNode& node : nodes) {
    const FoundNode& from = found.nodes[node.index];
    spec.nodes.push_back(
        {.name = from.name,
         .type = node.type,
         .domains = from.domains,
         .accelerator_domain = node.type->scale_up_domain_nodes > 1 ? from.accelerator_domain : "",
         .usable_gpus = node.usable_gpus,
         .free_gpus = from.free_gpus < 0 ? -1 : std::min(from.free_gpus, node.usable_gpus),
         .unavailable = from.unavailable});
    spec.fabric_from_domains = spec.fabric_from_domains || !from.domains.empty();
  }
  spec.cabling = Cabler(found, nodes).run();
  if (spec.cabling.switches.empty() && !spec.fabric_from_domains && nodes.size() > 1)
    spec.notes.push_back({spec.where,
                          fmt::format("no dump tells how nodes are joined: one switch that joins "
                                      "all {} is assumed",
                                      count_of(static_cast<int>(nodes.size()), "node")),
                          "add ibnetdiscover, topology.conf, or labels of the nodes",
                          Severity::warning});
  return spec;
}

}  // namespace topology
