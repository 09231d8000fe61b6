#pragma once

#include <optional>

#include "cli/plan_search.hpp"

namespace cli {

/// This process among those of a job that share a search. Several under mpirun, srun or an MPIJob,
/// each started with the same arguments, on files that all of them see.
class CrewMember {
 public:
  /// Nothing when this process is alone. \throws base::EnvironmentError when it is not, and cannot
  /// join the others
  static std::optional<CrewMember> join();

  bool leads() const { return rank_ == 0; }
  /// The leader's workers: the others.
  Workers workers() const;
  /// The others work until the leader leaves.
  void follow(const Work& work) const;
  void leave() const;

 private:
  explicit CrewMember(int rank) : rank_(rank) {}

  int rank_;
};

}  // namespace cli
