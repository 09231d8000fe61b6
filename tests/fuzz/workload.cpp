#include "sim/workload.hpp"

#include <set>

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/workplace.hpp"

namespace {

/// Jobs that are played at once have GPUs of their own; those that queue fit the cluster.
void check_jobs(const sim::Workload& workload) {
  std::set<topology::GpuId> taken;
  for (const sim::WorkloadJob& job : workload.jobs) {
    const auto gpus = sim::place_ranks(job.scenario);
    CHECK_INVARIANT(gpus.size() == static_cast<std::size_t>(job.scenario.plan.ranks()));
    if (workload.policies.empty())
      for (const topology::GpuId gpu : gpus) CHECK_INVARIANT(taken.insert(gpu).second);
    else
      CHECK_INVARIANT(job.request.nodes >= 1 && job.request.gpus >= 1 && job.steps >= 1);
  }
}

}  // namespace

/// A scenario with several jobs; traces that it may name lie beside it.
void fuzz_one(std::string_view text) {
  static const fuzz::Workplace workplace;
  static const bool written = [] {
    fuzz::Workplace::write(workplace.folder() + "/trace.csv",
                           "job_name,gpu_request,worker_num,submit_time,duration,job_type\n"
                           "a,8,2,0,100,HP\nb,1,1,5,60,Spot\nc,8,64,9,10,HP\n");
    return true;
  }();
  CHECK_INVARIANT(written);
  workplace.write(workplace.scenario(), text);
  const auto loaded = sim::load(workplace.options());
  if (!loaded) return fuzz::check_refusal(loaded.error());
  const auto* workload = std::get_if<sim::Workload>(&*loaded);
  if (workload == nullptr) return fuzz::check(std::get<sim::Scenario>(*loaded).notes);
  fuzz::check(workload->notes);
  CHECK_INVARIANT(!workload->jobs.empty());
  check_jobs(*workload);
  if (!workload->replay) return;
  const sim::Replay& replay = *workload->replay;
  CHECK_INVARIANT(replay.rung_of_job.size() == replay.trace.jobs.size());
  for (const auto& rung : replay.rung_of_job)
    CHECK_INVARIANT(!rung || *rung < workload->jobs.size());
}
