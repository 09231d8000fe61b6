#include "topology/import/pod_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <map>

#include "topology/k8s_objects.hpp"

namespace topology {

namespace {

using base::Node;

/// Larger than any job; more is no index.
constexpr int index_max = 10'000'000;

int number_in(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && number >= 0 && number <= index_max ? number : -1;
}

/// Labels of a pod, or its annotations where a label is absent: controllers write one or both.
class Words {
 public:
  explicit Words(const Node* metadata)
      : labels_(map_at(metadata, "labels")), annotations_(map_at(metadata, "annotations")) {}

  /// The first that is there.
  std::string_view text(std::initializer_list<std::string_view> keys) const {
    for (const std::string_view key : keys)
      for (const Node* map : {labels_, annotations_})
        if (const std::string_view value = text_at(map, key); !value.empty()) return value;
    return {};
  }
  int number(std::initializer_list<std::string_view> keys) const { return number_in(text(keys)); }

 private:
  const Node* labels_;
  const Node* annotations_;
};

constexpr std::string_view completion_index = "batch.kubernetes.io/job-completion-index";

/// Masters are rank 0 and the others follow; in an MPIJob the launcher counts with the workers,
/// whose indices leave room for it.
int group_of_role(std::string_view role) {
  if (role == "master" || role == "Master" || role == "chief" || role == "Chief" || role == "head")
    return 0;
  return role == "evaluator" || role == "ps" ? 2 : 1;
}

const Node* controller_of(const Node* metadata) {
  for (const Node& owner : items_at(metadata, "ownerReferences"))
    if (text_at(&owner, "controller") == "true") return &owner;
  return nullptr;
}

/// These end the names of their pods in letters and digits of chance.
bool names_by_chance(std::string_view kind) {
  return kind == "ReplicaSet" || kind == "DaemonSet" || kind == "Job";
}

struct Found {
  std::string_view job;
  PodPlace place;
};

Found find_place(const Words& words, const Node* metadata, std::string_view name) {
  const auto in = [](std::string_view job, int group, int index, int size = 0) {
    return Found{job, {{}, std::max(group, 0), index, size, false}};
  };
  if (const auto set = words.text({"jobset.sigs.k8s.io/jobset-name"}); !set.empty())
    return in(set,
              words.number({"jobset.sigs.k8s.io/job-global-index", "jobset.sigs.k8s.io/job-index"}),
              words.number({completion_index}));
  if (const auto set = words.text({"leaderworkerset.sigs.k8s.io/name"}); !set.empty())
    return in(set, words.number({"leaderworkerset.sigs.k8s.io/group-index"}),
              words.number({"leaderworkerset.sigs.k8s.io/worker-index"}),
              std::max(0, words.number({"leaderworkerset.sigs.k8s.io/size"})));
  if (const auto job = words.text({"training.kubeflow.org/job-name"}); !job.empty()) {
    const std::string_view role =
        words.text({"training.kubeflow.org/replica-type", "training.kubeflow.org/job-role"});
    const int index = words.number({"training.kubeflow.org/replica-index"});
    Found found = in(job, group_of_role(role), index);
    found.place.outside = index < 0 && (role == "launcher" || role == "Launcher");
    return found;
  }
  if (const auto job = words.text({"volcano.sh/job-name"}); !job.empty())
    return in(job, group_of_role(words.text({"volcano.sh/task-spec"})),
              words.number({"volcano.sh/task-index"}));
  if (const auto cluster = words.text({"ray.io/cluster"}); !cluster.empty()) {
    const int group = group_of_role(words.text({"ray.io/node-type"}));
    const int index = words.number({"ray.io/replica-index"});
    return in(cluster, group, group == 0 ? 0 : index < 0 ? trailing_number(name) : index);
  }
  if (const auto job = words.text({"batch.kubernetes.io/job-name", "job-name"}); !job.empty())
    return in(job, 0, words.number({completion_index}));
  const Node* controller = controller_of(metadata);
  if (names_by_chance(text_at(controller, "kind"))) return in(text_at(controller, "name"), 0, -1);
  int index = words.number({"apps.kubernetes.io/pod-index"});
  if (index < 0) index = trailing_number(name);
  if (controller != nullptr) return in(text_at(controller, "name"), 0, index);
  return in(index < 0 ? name : name.substr(0, name.rfind('-')), 0, index);
}

/// The pods of one group of one job.
struct Group {
  std::map<int, int> pods;  ///< with each index
  std::int64_t size = 0;    ///< at least; all of them where `sized`
  bool sized = true;        ///< every pod has an index, or a label tells their number
  std::int64_t before = 0;  ///< pods of the groups before it; -1: unknown
};

}  // namespace

PodPlace pod_place(const Node* metadata) {
  const std::string_view name = text_at(metadata, "name");
  const std::string_view name_space = text_at(metadata, "namespace");
  Found found = find_place(Words(metadata), metadata, name);
  found.place.job = fmt::format("{}/{}", name_space.empty() ? "default" : name_space,
                                found.job.empty() ? name : found.job);
  return std::move(found.place);
}

std::vector<int> pod_indices(const std::vector<PodPlace>& pods) {
  std::map<std::string_view, std::map<int, Group>> jobs;
  for (const PodPlace& pod : pods) {
    if (pod.outside) continue;
    Group& group = jobs[pod.job][pod.group];
    if (pod.index >= 0) ++group.pods[pod.index];
    if (pod.index < 0 && pod.group_size == 0) group.sized = false;
    group.size = std::max<std::int64_t>({group.size, pod.group_size, pod.index + 1});
  }
  for (auto& [job, groups] : jobs) {
    std::int64_t before = 0;
    for (auto& [number, group] : groups) {
      group.before = before;
      before = before < 0 || !group.sized ? -1 : before + group.size;
    }
  }
  std::vector<int> indices;
  for (const PodPlace& pod : pods) {
    std::int64_t index = -1;
    if (!pod.outside && pod.index >= 0) {
      const Group& group = jobs[pod.job][pod.group];
      if (group.before >= 0 && group.pods.at(pod.index) == 1) index = group.before + pod.index;
    }
    indices.push_back(index <= index_max ? static_cast<int>(index) : -1);
  }
  return indices;
}

int trailing_number(std::string_view name) {
  const std::size_t dash = name.rfind('-');
  return dash == std::string_view::npos ? -1 : number_in(name.substr(dash + 1));
}

}  // namespace topology
