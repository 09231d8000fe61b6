#include "strategies/expert_parallel.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "base/check.hpp"
#include "strategies/rank_grid.hpp"

namespace strategies {

namespace {

constexpr std::array<std::pair<std::string_view, base::DType>, 2> dispatch_names{{
    {"bf16", base::DType::bf16},
    {"fp8", base::DType::fp8},
}};

/// Uniform in (0, 1), the same on every platform; the distributions of <random> are not.
double uniform(std::mt19937_64& random) {
  return (static_cast<double>(random() >> 11U) + 0.5) * 0x1p-53;
}

/// Box and Muller 1958.
double normal(std::mt19937_64& random) {
  const double radius = std::sqrt(-2 * std::log(uniform(random)));
  return radius * std::cos(2 * M_PI * uniform(random));
}

/// Marsaglia and Tsang 2000; below 1 by the power of a uniform number.
double gamma(std::mt19937_64& random, double shape) {
  if (shape < 1) return gamma(random, shape + 1) * std::pow(uniform(random), 1 / shape);
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal(random);
    const double v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(uniform(random)) < 0.5 * x * x + d - d * v + d * std::log(v))
      return d * v;
  }
}

std::vector<double> popularity(const ExpertParallel& expert, int experts, std::mt19937_64& random) {
  std::vector<double> weights(static_cast<std::size_t>(experts), 1.0);
  for (std::size_t i = 0; i < weights.size(); ++i) switch (expert.load) {
      case ExpertLoad::balanced: break;
      case ExpertLoad::lognormal:
        weights[i] = std::exp(expert.load_parameter * normal(random));
        break;
      case ExpertLoad::zipf:
        weights[i] = std::pow(static_cast<double>(i + 1), -expert.load_parameter);
        break;
      case ExpertLoad::dirichlet: weights[i] = gamma(random, expert.load_parameter); break;
    }
  if (expert.load == ExpertLoad::zipf)
    for (std::size_t i = weights.size(); i > 1; --i)  // Fisher and Yates
      std::swap(weights[i - 1],
                weights[static_cast<std::size_t>(uniform(random) * static_cast<double>(i))]);
  return weights;
}

/// Shares of all rows; a token goes to different experts, so that none gets more than `most`.
void share_out(std::vector<double>& weights, double most) {
  double left = 1;  // of the rows, for the experts below the limit
  double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<bool> full(weights.size(), false);
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (full[i] || weights[i] * left <= most * sum) continue;
      full[i] = changed = true;
      sum -= weights[i];
      left -= most;
      weights[i] = most;
    }
  }
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (!full[i]) weights[i] *= left / sum;
}

}  // namespace

void read_expert_parallel(base::MapReader& reader, ExpertParallel& expert) {
  reader.read("own_axis", expert.own_axis);
  reader.read_choice("dispatcher", expert.dispatcher, dispatcher_names);
  const bool limits = reader.read("nodes_per_token", expert.nodes_per_token, {1, degree_max});
  const bool nodes = reader.read("ranks_per_node", expert.ranks_per_node, {1, degree_max});
  if ((limits || nodes) && expert.dispatcher != Dispatcher::node_limited)
    reader.error(limits ? "nodes_per_token" : "ranks_per_node",
                 "nodes matter to the dispatcher 'node_limited' only");
  reader.read_choice("dispatch", expert.dispatch, dispatch_names);
  reader.read("backward_exchange", expert.backward_exchange);
  if (auto load = reader.map("load")) {
    load->require_choice("distribution", expert.load, expert_load_names);
    if (expert.load != ExpertLoad::balanced)
      load->require("parameter", expert.load_parameter, base::Range<double>{1e-3, 1e3});
    load->read("seed", expert.load_seed, {0, std::numeric_limits<int>::max()});
    load->finish();
  }
  reader.finish();
}

double busiest_load(const ExpertParallel& expert, int experts, int experts_per_token, int layers) {
  CHECK_INVARIANT(expert.degree >= 1 && experts % expert.degree == 0);
  if (expert.load == ExpertLoad::balanced || expert.degree == 1 || layers == 0) return 1;
  std::mt19937_64 random(static_cast<std::uint64_t>(expert.load_seed));
  const std::ptrdiff_t each = experts / expert.degree;
  double sum = 0;
  for (int layer = 0; layer < layers; ++layer) {
    std::vector<double> shares = popularity(expert, experts, random);
    share_out(shares, 1.0 / experts_per_token);
    double most = 0;
    for (auto first = shares.begin(); first != shares.end(); first += each)
      most = std::max(most, std::accumulate(first, first + each, 0.0));
    sum += most * expert.degree;
  }
  return sum / layers;
}

}  // namespace strategies
