#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/units.hpp"
#include "strategies/model.hpp"

/// From samples a second to what people compare.
namespace strategies {

/// Tokens trained on in a day of 86,400 s. `goodput`: share of the time in which training advances.
double tokens_per_day(double samples_per_s, std::int64_t sequence, double goodput);

/// A way to count the work of a token, forward and backward.
struct TokenWork {
  std::string_view name;     ///< "6n"
  std::string_view formula;  ///< "6 N"
  base::Flop flop;
};

/// What is known of a model whose work is counted.
struct CountedModel {
  double parameters = 0;            ///< N; of a mixture those that a token passes through
  std::int64_t layers = 0;          ///< 0: not known
  std::int64_t attention = 0;       ///< heads x head width; 0: not known
  const ModelSpec* spec = nullptr;  ///< every operator; null: not known
};

/// The work of one token of sequences this long, by all the ways that the model is known for:
///  - "6n", 6 N: what dlcalc's sps2mfu takes, and scaling laws (arXiv 2001.08361);
///  - "palm", 6 N + 12 L a S: with all scores of the attention (arXiv 2204.02311, appendix B);
///  - "model", what `foreshard run` counts: matrix products, and attention as far as its mask goes.
/// \pre sequence >= 1
std::vector<TokenWork> token_work(const CountedModel& model, std::int64_t sequence);

}  // namespace strategies
