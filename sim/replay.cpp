#include "sim/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/queue/tree.hpp"

namespace sim {

namespace {

int gpus_of(const WorkloadJob& rung) { return rung.request.nodes * rung.request.gpus; }

/// Jobs of the trace that are not played as they are.
struct Tally {
  int larger = 0;
  int rounded = 0;
};

Tally pair(Replay& replay, const std::vector<WorkloadJob>& rungs, int node_gpus) {
  Tally tally;
  std::vector<trace::Job> kept;
  for (trace::Job& job : replay.trace.jobs) {
    const auto rung = std::find_if(rungs.begin(), rungs.end(), [&](const WorkloadJob& one) {
      return gpus_of(one) >= job.gpus;
    });
    const bool inside_node = job.gpus < node_gpus;
    if (!inside_node && rung == rungs.end()) {
      ++tally.larger;
      continue;
    }
    replay.rung_of_job.push_back(inside_node ? std::optional<std::size_t>()
                                             : static_cast<std::size_t>(rung - rungs.begin()));
    if (!inside_node && gpus_of(*rung) != job.gpus) ++tally.rounded;
    kept.push_back(std::move(job));
  }
  replay.trace.jobs = std::move(kept);
  return tally;
}

}  // namespace

void pair_with_rungs(Workload& workload, base::Diagnostics& problems) {
  Replay& replay = *workload.replay;
  std::sort(workload.jobs.begin(), workload.jobs.end(),
            [](const WorkloadJob& a, const WorkloadJob& b) { return gpus_of(a) < gpus_of(b); });
  const std::vector<int> usable = queue::usable_gpus(workload.cluster());
  const Tally tally = pair(replay, workload.jobs, *std::max_element(usable.begin(), usable.end()));
  const auto note = [&](std::string message) {
    problems.push_back({{replay.file}, std::move(message), "", base::Severity::note});
  };
  if (tally.larger > 0)
    note(fmt::format("{} jobs need more GPUs than the largest rung of 'map', and are left out",
                     tally.larger));
  if (tally.rounded > 0)
    note(fmt::format("{} jobs get the GPUs of the next larger rung of 'map'", tally.rounded));
  note(
      "arrivals, sizes and run times are those of the trace; models, plans and the cluster are "
      "those of the scenario: a synthetic pairing");
  if (replay.trace.jobs.empty())
    problems.push_back({{replay.file}, "no job of the trace fits the rungs of 'map'", ""});
  if (workload.policies.empty()) workload.policies = {queue::find_policy("best-fit")};
}

}  // namespace sim
