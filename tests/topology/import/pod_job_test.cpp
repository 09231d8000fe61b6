#include "topology/import/pod_job.hpp"

#include <fmt/format.h>

#include "base/document.hpp"
#include "tests/support/catch.hpp"

namespace topology {
namespace {

PodPlace place_of(const std::string& metadata) {
  const auto document = base::parse_yaml(metadata, "p.yaml");
  REQUIRE(document);
  return pod_place(&document->root);
}

TEST_CASE("a pod's job and index come from the labels of its controller") {
  struct Row {
    std::string metadata;
    std::string job;
    int group;
    int index;
  };
  const Row row = GENERATE(values<Row>({
      {"name: t-workers-0-1-x7k2p\nnamespace: a\nlabels: {jobset.sigs.k8s.io/jobset-name: t, "
       "jobset.sigs.k8s.io/job-index: '0', jobset.sigs.k8s.io/job-global-index: '2', "
       "batch.kubernetes.io/job-name: t-workers-0, batch.kubernetes.io/job-completion-index: '1'}",
       "a/t", 2, 1},
      {"name: w-0-3\nnamespace: a\nlabels: {leaderworkerset.sigs.k8s.io/name: w, "
       "leaderworkerset.sigs.k8s.io/group-index: '0', leaderworkerset.sigs.k8s.io/worker-index: "
       "'3'}\nannotations: {leaderworkerset.sigs.k8s.io/size: '4'}",
       "a/w", 0, 3},
      {"name: j-worker-5\nlabels: {training.kubeflow.org/job-name: j, "
       "training.kubeflow.org/replica-type: worker, training.kubeflow.org/replica-index: '5'}",
       "default/j", 1, 5},
      {"name: v-worker-2\nlabels: {volcano.sh/job-name: v, volcano.sh/task-spec: worker}\n"
       "annotations: {volcano.sh/task-index: '2'}",
       "default/v", 1, 2},
      {"name: r-head-abcde\nlabels: {ray.io/cluster: r, ray.io/node-type: head}", "default/r", 0,
       0},
      {"name: b-4-zzzzz\nlabels: {job-name: b}\nannotations: "
       "{batch.kubernetes.io/job-completion-index: '4'}",
       "default/b", 0, 4},
      {"name: s-7\nlabels: {apps.kubernetes.io/pod-index: '7'}\nownerReferences: [{kind: "
       "StatefulSet, name: s, controller: true}]",
       "default/s", 0, 7},
      {"name: web-6d5f-12345\nownerReferences: [{kind: ReplicaSet, name: web-6d5f, controller: "
       "true}]",
       "default/web-6d5f", 0, -1},
      {"name: worker-12", "default/worker", 0, 12},
      {"name: shell", "default/shell", 0, -1},
      {"name: worker-99999999999", "default/worker-99999999999", 0, -1},
  }));
  CAPTURE(row.metadata);
  const PodPlace place = place_of(row.metadata);
  CHECK(place.job == row.job);
  CHECK(place.group == row.group);
  CHECK(place.index == row.index);
}

TEST_CASE("groups of a job follow each other") {
  // A master and two workers; the job beside it has an own count.
  CHECK(pod_indices({{"j", 1, 0}, {"j", 1, 1}, {"j", 0, 0}, {"k", 1, 0}}) ==
        std::vector<int>{1, 2, 0, 0});
  // Of three child jobs with two pods each, one pod of the first is not there (yet).
  CHECK(pod_indices({{"j", 0, 1}, {"j", 1, 0}, {"j", 1, 1}, {"j", 2, 0}}) ==
        std::vector<int>{1, 2, 3, 4});
  // A label tells that the first group has four.
  CHECK(pod_indices({{"j", 0, 0, 4}, {"j", 1, 0, 4}}) == std::vector<int>{0, 4});
  // A pod without an index hides how many there are before the next group.
  CHECK(pod_indices({{"j", 0, -1}, {"j", 0, 0}, {"j", 1, 0}}) == std::vector<int>{-1, 0, -1});
  // Twice the same: a pod and the one that replaces it.
  CHECK(pod_indices({{"j", 0, 0}, {"j", 0, 0}, {"j", 0, 1}}) == std::vector<int>{-1, -1, 1});
}

TEST_CASE("the launcher of an MPIJob is a rank only where it has an index") {
  const std::string launcher =
      "name: j-launcher\nlabels: {training.kubeflow.org/job-name: j, "
      "training.kubeflow.org/job-role: launcher}";
  const PodPlace outside = place_of(launcher);
  CHECK(outside.outside);
  CHECK(pod_indices({outside, {"default/j", 1, 0}}) == std::vector<int>{-1, 0});
  const PodPlace inside = place_of(launcher.substr(0, launcher.size() - 1) +
                                   ", training.kubeflow.org/replica-index: '0'}");
  CHECK(pod_indices({inside, {"default/j", 1, 1}}) == std::vector<int>{0, 1});
}

TEST_CASE("many groups and absurd sizes cost no more than the pods") {
  std::vector<PodPlace> pods;
  for (int i = 0; i < 200'000; ++i) pods.push_back({"j", i, 0, 10'000'000});
  const std::vector<int> indices = pod_indices(pods);
  CHECK(indices[1] == 10'000'000);
  CHECK(indices[2] == -1);  // larger than any job
}

}  // namespace
}  // namespace topology
