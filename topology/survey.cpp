#include "topology/survey.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "topology/found_cluster_names.hpp"
#include "topology/found_paths.hpp"

namespace topology {

namespace {

/// Free GPUs of a node, as far as anybody said.
int free_of(const FoundNode& node) {
  if (!node.unavailable.empty()) return 0;
  return node.free_gpus >= 0 ? node.free_gpus : usable_gpus_of(node);
}
bool is_free(const FoundNode& node) {
  return node.unavailable.empty() && free_of(node) == usable_gpus_of(node);
}

class Surveyor {
 public:
  explicit Surveyor(const FoundCluster& found) : found_(found) {}

  Survey run() {
    count_nodes();
    count_cables();
    out_.slot_sizes = slot_sizes();
    const DomainPaths paths = domain_paths(found_);
    for (std::size_t depth = 0; depth <= paths.levels.size(); ++depth) add_level(paths, depth);
    out_.classes = symmetry_classes(found_);
    out_.anomalies = anomalies(found_);
    return std::move(out_);
  }

 private:
  struct Domain {
    int nodes = 0;
    int free_nodes = 0;
    int free_gpus = 0;  ///< of free nodes
  };

  void count_nodes() {
    std::map<std::tuple<std::string, std::string, std::string>, std::size_t> rows;
    for (const FoundNode& node : found_.nodes) {
      const auto [at, is_new] =
          rows.emplace(std::tuple(node.unavailable, node.type, node.gpu), out_.inventory.size());
      if (is_new) out_.inventory.push_back({node.type, node.gpu, node.unavailable});
      InventoryRow& row = out_.inventory[at->second];
      ++row.nodes;
      row.gpus += usable_gpus_of(node);
      row.free_gpus += free_of(node);
      ++out_.nodes;
      out_.gpus += usable_gpus_of(node);
      out_.free_gpus += free_of(node);
      out_.free_nodes += is_free(node) ? 1 : 0;
      out_.occupancy_known = out_.occupancy_known || node.free_gpus >= 0;
      node_gpus_ = std::max(node_gpus_, usable_gpus_of(node));
    }
  }

  void count_cables() {
    out_.cables = static_cast<int>(found_.cables.size());
    for (const FoundCable& cable : found_.cables) {
      out_.cables_down += cable.state == CableState::down ? 1 : 0;
      out_.cables_degraded += cable.state == CableState::degraded ? 1 : 0;
    }
  }

  /// Those of a node, doubled as long as the free GPUs suffice for one.
  std::vector<int> slot_sizes() const {
    std::vector<int> sizes;
    for (std::int64_t size = node_gpus_; size > 0 && size <= out_.free_gpus; size *= 2)
      sizes.push_back(static_cast<int>(size));
    return sizes;
  }

  /// Domains that share the first `depth` places of the path; 0 is the whole cluster.
  void add_level(const DomainPaths& paths, std::size_t depth) {
    std::map<std::vector<std::string>, Domain> domains;
    LevelSurvey level;
    level.name = depth == 0 ? "all" : paths.levels[depth - 1];
    for (std::size_t i = 0; i < found_.nodes.size(); ++i) {
      const std::vector<std::string>& path = paths.of_node[i];
      if (path.size() < depth || (depth > 0 && path[depth - 1].empty())) {
        ++level.unplaced;
        continue;
      }
      Domain& domain = domains[{path.begin(), path.begin() + static_cast<std::ptrdiff_t>(depth)}];
      ++domain.nodes;
      if (!is_free(found_.nodes[i])) continue;
      ++domain.free_nodes;
      domain.free_gpus += usable_gpus_of(found_.nodes[i]);
    }
    if (domains.empty()) return;
    measure(domains, level);
    out_.levels.push_back(std::move(level));
  }

  void measure(const std::map<std::vector<std::string>, Domain>& domains,
               LevelSurvey& level) const {
    level.domains = static_cast<int>(domains.size());
    level.nodes_min = domains.begin()->second.nodes;
    level.slots.assign(out_.slot_sizes.size(), 0);
    for (const auto& [path, domain] : domains) {
      level.nodes_min = std::min(level.nodes_min, domain.nodes);
      level.nodes_max = std::max(level.nodes_max, domain.nodes);
      if (domain.free_nodes > level.free_max) {
        level.free_max = domain.free_nodes;
        level.freest = fmt::format("{}", fmt::join(path, "/"));
      }
      for (std::size_t i = 0; i < out_.slot_sizes.size(); ++i)
        level.slots[i] += domain.free_gpus / out_.slot_sizes[i];
    }
    if (out_.free_nodes > 0)
      level.fragmentation = 1 - static_cast<double>(level.free_max) / out_.free_nodes;
  }

  const FoundCluster& found_;
  int node_gpus_ = 0;  ///< most of a node
  Survey out_;
};

}  // namespace

Survey survey(const FoundCluster& found, const Cluster* cluster) {
  Survey out = Surveyor(found).run();
  if (cluster == nullptr) return out;
  out.tiers = tiers(*cluster);
  const base::BytesPerSecond cut = bisection(*cluster);
  if (cut <= base::BytesPerSecond()) return out;
  out.bisection = cut;
  base::BytesPerSecond nics;
  for (const NodeInfo& node : cluster->nodes())
    nics += node.type->nic_rate * node.type->nic_efficiency * node.type->nics;
  out.bisection_share = cut / (nics / 2);
  return out;
}

}  // namespace topology
