#include "topology/import/kubernetes_pods.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "topology/import/pod_job.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Node;
using base::Severity;

/// GPUs of one map of requests or limits.
int gpus_in(const Node* resources) {
  int total = 0;
  for (const std::string_view resource : gpu_resources)
    total += parse_count(text_at(resources, resource)).value_or(0);
  return total;
}

/// Requests of a container; the API server fills them in from the limits.
int gpus_of(const Node& container) {
  const Node* resources = map_at(&container, "resources");
  return std::max(gpus_in(map_at(resources, "requests")), gpus_in(map_at(resources, "limits")));
}

struct Claims {
  /// "namespace/name" to the GPUs it was given.
  std::unordered_map<std::string, int> gpus;
};

Claims read_claims(const KubernetesObjects& objects) {
  Claims claims;
  for (const KubernetesObject* claim : objects.of("resource.k8s.io", "ResourceClaim")) {
    const Node* allocation = map_at(map_at(claim->node, "status"), "allocation");
    int gpus = 0;
    for (const Node& result : items_at(map_at(allocation, "devices"), "results"))
      if (text_at(&result, "driver") == "gpu.nvidia.com") ++gpus;
    claims.gpus[fmt::format("{}/{}", claim->name_space, claim->name)] = gpus;
  }
  return claims;
}

/// A pod that holds a place on a node.
struct BoundPod {
  const KubernetesObject* object = nullptr;
  std::size_t node = 0;
  int gpus = 0;
};

class Placer {
 public:
  Placer(const KubernetesObjects& objects, const std::vector<GpuNode>& nodes,
         std::vector<FoundNode>& found, base::Diagnostics& notes)
      : objects_(objects), nodes_(nodes), found_(found), notes_(notes) {
    for (std::size_t i = 0; i < found.size(); ++i) index_.emplace(found[i].name, i);
  }

  void place() {
    claims_ = read_claims(objects_);
    const std::vector<const KubernetesObject*> pods = objects_.of("", "Pod");
    std::vector<PodPlace> places;
    std::vector<BoundPod> bound;
    for (const KubernetesObject* pod : pods) {
      const std::string_view phase = text_at(map_at(pod->node, "status"), "phase");
      if (phase == "Succeeded" || phase == "Failed") continue;
      bound.push_back(bind(*pod));
      places.push_back(pod_place(map_at(pod->node, "metadata")));
    }
    const std::vector<int> indices = pod_indices(places);
    for (std::size_t i = 0; i < bound.size(); ++i) {
      const BoundPod& pod = bound[i];
      if (pod.node == nodes_.size() || pod.gpus == 0) continue;
      found_[pod.node].occupants.push_back(
          {places[i].job, fmt::format("{}/{}", pod.object->name_space, pod.object->name), pod.gpus,
           indices[i]});
    }
    count_free();
    report(pods);
  }

 private:
  BoundPod bind(const KubernetesObject& pod) {
    const Node* spec = map_at(pod.node, "spec");
    BoundPod bound{&pod, nodes_.size(), requested_gpus(spec)};
    add_claims(pod, bound.gpus);
    const std::string_view node = text_at(spec, "nodeName");
    if (node.empty()) {
      if (bound.gpus > 0) ++pending_;
    } else if (const auto found = index_.find(std::string(node)); found != index_.end()) {
      bound.node = found->second;
    } else if (bound.gpus > 0) {
      elsewhere_.push_back(&pod);
    }
    return bound;
  }

  /// GPUs that were given to the claims of a pod. One claim may serve several pods: its first.
  void add_claims(const KubernetesObject& pod, int& gpus) {
    for (const Node& told : items_at(map_at(pod.node, "status"), "resourceClaimStatuses"))
      add_claim(pod, text_at(&told, "resourceClaimName"), gpus);
    for (const Node& claim : items_at(map_at(pod.node, "spec"), "resourceClaims"))
      add_claim(pod, text_at(&claim, "resourceClaimName"), gpus);
  }

  void add_claim(const KubernetesObject& pod, std::string_view name, int& gpus) {
    if (name.empty()) return;
    const std::string full = fmt::format("{}/{}", pod.name_space, name);
    const auto claim = claims_.gpus.find(full);
    if (claim == claims_.gpus.end()) return untold_claims_.push_back(&pod);
    if (used_claims_.insert(full).second) gpus += claim->second;
  }

  void count_free() {
    if (!objects_.told_of("Pod")) return;
    NodeTally odd;
    for (std::size_t i = 0; i < found_.size(); ++i) {
      FoundNode& node = found_[i];
      int taken = 0;
      for (const Occupant& occupant : node.occupants)
        taken = std::min(taken + occupant.gpus, 1'000'000);
      node.free_gpus = std::max(0, node.usable_gpus - taken);
      if (taken > node.usable_gpus)
        odd.add(*nodes_[i].node, Severity::warning,
                "whose pods hold more GPUs than are allocatable",
                "a GPU that is shared or has failed; none is taken as free there");
    }
    odd.report(notes_);
  }

  void report(const std::vector<const KubernetesObject*>& pods) {
    if (pending_ > 0)
      note({}, fmt::format("{} with GPUs wait for a node", count_of(pending_, "pod")), "");
    if (!elsewhere_.empty())
      note(elsewhere_.front()->where(),
           fmt::format("{} with GPUs run on nodes that were left out or are not in the dump",
                       count_of(static_cast<int>(elsewhere_.size()), "pod")),
           "");
    if (!untold_claims_.empty())
      note(untold_claims_.front()->where(),
           fmt::format("{} of pods are not in the dump; the GPUs they hold count as free",
                       count_of(static_cast<int>(untold_claims_.size()), "resource claim")),
           "add kubectl get resourceclaims -A -o json", Severity::warning);
    std::set<std::string_view> name_spaces;
    for (const KubernetesObject* pod : pods) name_spaces.insert(pod->name_space);
    if (name_spaces.size() == 1)
      note(pods.front()->where(),
           fmt::format("all pods are in the namespace '{}'; free GPUs are right only if there are "
                       "no others",
                       *name_spaces.begin()),
           "kubectl get pods -A -o json reads all namespaces", Severity::warning);
  }

  void note(base::SourceRef where, std::string message, std::string hint,
            Severity severity = Severity::note) {
    if (where.file.empty() && !objects_.documents.empty())
      where.file = objects_.documents.front().files.front();
    notes_.push_back({std::move(where), std::move(message), std::move(hint), severity});
  }

  const KubernetesObjects& objects_;
  const std::vector<GpuNode>& nodes_;
  std::vector<FoundNode>& found_;
  base::Diagnostics& notes_;
  std::unordered_map<std::string, std::size_t> index_;  ///< of nodes by name; only looked up
  Claims claims_;
  std::set<std::string> used_claims_;
  std::vector<const KubernetesObject*> elsewhere_;
  std::vector<const KubernetesObject*> untold_claims_;
  int pending_ = 0;
};

}  // namespace

int requested_gpus(const Node* spec) {
  std::int64_t together = 0;
  for (const Node& container : items_at(spec, "containers")) together += gpus_of(container);
  std::int64_t sidecars = 0;
  std::int64_t starting = 0;
  for (const Node& container : items_at(spec, "initContainers")) {
    if (text_at(&container, "restartPolicy") == "Always")
      sidecars += gpus_of(container);
    else
      starting = std::max(starting, sidecars + gpus_of(container));
  }
  const std::int64_t most =
      std::max(together + sidecars, starting) + gpus_in(map_at(spec, "overhead"));
  return static_cast<int>(std::min<std::int64_t>(most, 1'000'000));
}

void place_pods(const KubernetesObjects& objects, const std::vector<GpuNode>& nodes,
                std::vector<FoundNode>& found, base::Diagnostics& notes) {
  Placer(objects, nodes, found, notes).place();
}

}  // namespace topology
