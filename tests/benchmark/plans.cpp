#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <numeric>

#include "base/check.hpp"
#include "base/document.hpp"
#include "calibrate/hardware_profile.hpp"
#include "sim/estimate.hpp"
#include "strategies/model.hpp"
#include "tests/benchmark/synthetic.hpp"

/// How many plans a second the analytic engine forecasts on one core: for a model on a cluster, all
/// plans of a grid of degrees, ZeRO stages, micro-batches and recompute, each from the operator
/// graph to the step time. Prints a table; nothing is asserted.
namespace sim::benchmark {
namespace {

std::vector<strategies::Plan> plans_for(const strategies::ModelSpec& model, int gpus,
                                        std::int64_t batch) {
  std::vector<strategies::Plan> plans;
  for (const int tensor : {1, 2, 4, 8})
    for (const int pipeline : {1, 2, 4, 8, 16})
      for (const int zero : {0, 1, 3})
        for (const int micro_batch : {1, 2, 4})
          for (const auto recompute :
               {strategies::Recompute::none, strategies::Recompute::selective,
                strategies::Recompute::full})
            for (const int chunks : {1, 2}) {
              strategies::Plan plan;
              plan.tensor = tensor;
              plan.pipeline = pipeline;
              plan.zero = zero;
              plan.sequence_parallel = tensor > 1;
              plan.micro_batch = micro_batch;
              plan.global_batch = batch;
              plan.sequence = 4096;
              plan.recompute = recompute;
              plan.virtual_stages = chunks;
              if (chunks > 1) plan.schedule = strategies::ScheduleKind::interleaved;
              if (!base::has_errors(strategies::check_plan(plan, model, gpus, {})))
                plans.push_back(plan);
            }
  return plans;
}

std::vector<topology::GpuId> in_order(int gpus) {
  std::vector<topology::GpuId> all(static_cast<std::size_t>(gpus));
  std::iota(all.begin(), all.end(), topology::GpuId{0});
  return all;
}

void print_row(const std::string& name, int gpus, std::int64_t batch) {
  const std::string folder = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/";
  const std::string file = folder + "models/" + name + "/config.json";
  const auto text = base::read_file(file);
  CHECK_INVARIANT(text.has_value());
  const auto model = strategies::read_hf_config(*text, file, nullptr);
  CHECK_INVARIANT(model.has_value());
  const auto cluster = cluster_for(gpus);
  const auto profile = calibrate::make_hardware_profile(cluster->gpu_spec(0), folder + "hardware",
                                                        {.step_gpus = gpus});
  CHECK_INVARIANT(profile.has_value());
  const std::vector<strategies::Plan> plans = plans_for(*model, gpus, batch);

  double best = 1e300;
  const std::clock_t start = std::clock();
  Estimator estimator(*model, *cluster, **profile, in_order(gpus));
  for (const strategies::Plan& plan : plans) best = std::min(best, estimator.step(plan).s());
  const double cpu = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  fmt::print("{:<16} {:>6} {:>6} {:>8} {:>8.3f} {:>10.0f} {:>10.3f}\n", name, gpus, batch,
             plans.size(), cpu, static_cast<double>(plans.size()) / cpu, best);
}

}  // namespace
}  // namespace sim::benchmark

int main() {
  fmt::print("{:<16} {:>6} {:>6} {:>8} {:>8} {:>10} {:>10}\n", "model", "GPUs", "batch", "plans",
             "cpu s", "plans/s", "best s");
  sim::benchmark::print_row("llama-3.1-8b", 64, 256);
  sim::benchmark::print_row("llama-3.1-70b", 64, 256);
  sim::benchmark::print_row("llama-3.1-70b", 512, 1024);
  sim::benchmark::print_row("llama-3.1-405b", 1024, 1024);
}
