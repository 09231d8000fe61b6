#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/document.hpp"

/// Which job a pod belongs to and which of its pods it is, by the labels that the controllers of
/// jobs write. Ranks of a job follow the order of its pods.
namespace topology {

/// A pod's place in its job.
struct PodPlace {
  std::string job;       ///< "namespace/name" of what owns the pods; of the pod where nobody does
  int group = 0;         ///< groups follow each other: child jobs of a JobSet, masters and workers
  int index = -1;        ///< in its group, from 0; -1: unknown
  int group_size = 0;    ///< pods of the group where a label tells; 0: as many as there are
  bool outside = false;  ///< runs no rank: the launcher of an MPIJob that only starts the others
};

/// Reads the metadata of a Pod. Which controllers are known, and their labels:
///
/// | owner | job | group | index |
/// | --- | --- | --- | --- |
/// | JobSet | jobset-name | job-global-index (else job-index) | job-completion-index |
/// | LeaderWorkerSet | name | group-index | worker-index, leader first |
/// | Kubeflow | training.kubeflow.org/job-name | master, chief, launcher before others |
/// replica-index | | Volcano | volcano.sh/job-name | by name of the task, masters first |
/// task-index | | Ray | ray.io/cluster | head before workers | replica index, else the number in
/// the name | | Job | batch.kubernetes.io/job-name | one | job-completion-index | | any other | its
/// controller | one | apps.kubernetes.io/pod-index, else the number in the name | | nobody | the
/// name without its number | one | the number in the name |
PodPlace pod_place(const base::Node* metadata);

/// The index of each pod in its job: those of earlier groups come first. -1 where its own index is
/// unknown or told twice, or that of a pod before it is unknown.
std::vector<int> pod_indices(const std::vector<PodPlace>& pods);

/// The number behind the last '-' of a name, "worker-12"; -1: none.
int trailing_number(std::string_view name);

}  // namespace topology
