#include "strategies/throughput.hpp"

#include "strategies/shard.hpp"

namespace strategies {

double tokens_per_day(double samples_per_s, std::int64_t sequence, double goodput) {
  constexpr double seconds_per_day = 86400;
  return samples_per_s * static_cast<double>(sequence) * seconds_per_day * goodput;
}

std::vector<TokenWork> token_work(const CountedModel& model, std::int64_t sequence) {
  const auto tokens = static_cast<double>(sequence);
  std::vector<TokenWork> ways{{"6n", "6 N", base::Flop::from_count(6 * model.parameters)}};
  if (model.layers > 0 && model.attention > 0) {
    const double scores =
        12 * static_cast<double>(model.layers) * static_cast<double>(model.attention) * tokens;
    ways.push_back(
        {"palm", "6 N + 12 L a S", base::Flop::from_count(6 * model.parameters + scores)});
  }
  if (model.spec != nullptr) {
    Plan plan;
    plan.data = 1;
    plan.sequence = sequence;
    ways.push_back({"model", "matrix products, attention under its mask",
                    model_flop(*model.spec, plan) * (1 / tokens)});
  }
  return ways;
}

}  // namespace strategies
