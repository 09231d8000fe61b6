#include "cli/place_formats.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>

#include "base/quoted.hpp"
#include "sim/place/rules.hpp"

namespace cli {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// "0 node-3": pod index, node.
std::string pod_index(const PlaceJob& job, const std::vector<int>& nodes) {
  std::string text;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    text += fmt::format("{} {}\n", i, job.name_of(nodes[i]));
  return text;
}

/// Calls visit(rank, node, index of the rank on its node).
template <class Visit>
void for_ranks(const PlaceJob& job, const std::vector<int>& nodes, Visit visit) {
  for (int rank = 0; rank < job.scenario.plan.ranks(); ++rank)
    visit(rank, nodes[at(rank / job.ranks_per_node)], rank % job.ranks_per_node);
}

std::string rankfile(const PlaceJob& job, const std::vector<int>& nodes) {
  std::string text;
  for_ranks(job, nodes, [&](int rank, int node, int slot) {
    text += fmt::format("rank {}={} slot={}\n", rank, job.name_of(node), slot);
  });
  return text;
}

/// For `srun --distribution=arbitrary` with SLURM_HOSTFILE.
std::string slurm_hostfile(const PlaceJob& job, const std::vector<int>& nodes) {
  std::string text;
  for_ranks(job, nodes, [&](int, int node, int) { text += job.name_of(node) + "\n"; });
  return text;
}

std::string hostlist(const PlaceJob& job, const std::vector<int>& nodes) {
  return hostlist_of(job.names_of(nodes)) + "\n";
}

/// The finest level one domain of which has all of the nodes; none: they have no such domain.
const topology::Level* common_level(const PlaceJob& job, const std::vector<int>& nodes) {
  const topology::Level* finest = nullptr;
  for (const topology::Level& level : job.levels) {
    const int domain = level.domain_of[at(nodes.front())];
    if (domain >= 0 && level.name != "accelerator" &&
        std::all_of(nodes.begin(), nodes.end(),
                    [&](int node) { return level.domain_of[at(node)] == domain; }))
      finest = &level;
  }
  return finest;
}

std::string affinity(const PlaceJob& job, const std::vector<int>& nodes) {
  std::string text =
      "spec:\n  affinity:\n    nodeAffinity:\n"
      "      requiredDuringSchedulingIgnoredDuringExecution:\n        nodeSelectorTerms:\n"
      "        - matchExpressions:\n          - key: kubernetes.io/hostname\n"
      "            operator: In\n            values:\n";
  for (const int node : nodes) text += "            - " + base::quoted(job.name_of(node)) + "\n";
  return text;
}

std::string kueue(const PlaceJob& job, const std::vector<int>& nodes) {
  const sim::place::RoomTree tree =
      sim::place::room_tree(job.scenario.cluster, job.levels, job.free);
  std::string text = "# patch for the pod template of the job\n";
  for (const bool required : {true, false})
    for (std::size_t depth = job.levels.size(); depth-- > 0;) {
      sim::place::KueueRequest request;
      request.count = job.slots;
      request.level = static_cast<int>(depth) + 1;
      request.required = required;
      const auto taken = sim::place::kueue(tree, request);
      if (!taken) continue;
      std::vector<int> by_kueue;
      for (const int leaf : sim::place::leaves_of(tree, *taken))
        by_kueue.push_back(tree.vertices[at(leaf)].node);
      if (by_kueue != nodes) continue;
      return text + fmt::format(
                        "# Kueue's BestFit gives these nodes in this order while the same are "
                        "free\nmetadata:\n  annotations:\n    kueue.x-k8s.io/podset-{}-topology: "
                        "{}\n",
                        required ? "required" : "preferred", base::quoted(job.levels[depth].name));
    }
  return text +
         "# no level makes Kueue choose these nodes in this order: they are named, and pods must\n"
         "# be ordered as --to pod-index says\n" +
         affinity(job, nodes);
}

std::string volcano(const PlaceJob& job, const std::vector<int>& nodes) {
  std::string text = "# patch for a Volcano job; pods must be ordered as --to pod-index says\n";
  if (const topology::Level* level = common_level(job, nodes)) {
    int tier = 0;  // HyperNodes count from the nodes up, 1 is next to them
    for (std::size_t i = job.levels.size(); i-- > 0;) {
      tier += job.levels[i].name != "accelerator" ? 1 : 0;
      if (&job.levels[i] == level) break;
    }
    text += fmt::format(
        "# all of them are in one domain of level {}\nspec:\n  networkTopology:\n    mode: hard\n"
        "    highestTierAllowed: {}\n---\n",
        level->name, tier);
  }
  return text + "# its pod template\n" + affinity(job, nodes);
}

constexpr std::array formats{
    PlaceFormat{"pod-index", "index of a pod and its node, a line each", pod_index},
    PlaceFormat{"rankfile", "Open MPI's rankfile", rankfile},
    PlaceFormat{"slurm-hostfile", "a line a rank, for SLURM_HOSTFILE", slurm_hostfile},
    PlaceFormat{"hostlist", "nodes in rank order, as Slurm writes them", hostlist},
    PlaceFormat{"kueue", "annotations or affinity for Kueue", kueue},
    PlaceFormat{"volcano", "networkTopology and affinity for Volcano", volcano},
};

}  // namespace

std::span<const PlaceFormat> place_formats() { return formats; }

}  // namespace cli
