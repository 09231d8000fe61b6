#include "strategies/autoshard/solve.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "strategies/autoshard/integer_programme.hpp"
#include "strategies/autoshard/minimise.hpp"
#include "strategies/autoshard/relinking.hpp"

namespace strategies::autoshard {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Differences of costs below this share are rounding.
constexpr double tolerance = 1e-9;

/// Prices of memory that are tried at most; a price is the slope between two solutions, so few do.
constexpr int prices_max = 40;

/// Passes of message passing before the integer programme: what they rule out it need not.
constexpr int closing_passes = 400;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

struct Candidate {
  std::vector<int> choices;
  double cost = infinity;  // microseconds, with the arcs
  double bytes = infinity;
};

class Search {
 public:
  Search(const Pricing& pricing, const SolveOptions& options)
      : pricing_(pricing),
        options_(options),
        domains_(options.allowed),
        cutoff_(options.quicker_than.us() * (1 - tolerance)) {
    times_ = pricing.times();
    bytes_ = pricing.bytes();
    if (domains_.empty()) domains_ = all_choices(times_);
    drop_impossible(times_, domains_);
    for (const std::vector<int>& domain : domains_) solvable_ = solvable_ && !domain.empty();
    if (!solvable_) return;
    times_ = restricted(times_, domains_);
    for (std::size_t v = 0; v < domains_.size(); ++v) {
      std::vector<double> left;
      for (const int c : domains_[v]) left.push_back(bytes_[v][at(c)]);
      bytes_[v] = std::move(left);
    }
  }

  tl::expected<Solution, NoSolution> run() {
    using Reason = NoSolution::Reason;
    if (!solvable_) return tl::unexpected(NoSolution{Reason::choices});
    const Candidate quickest = at_price(0);
    if (quickest.choices.empty())
      return tl::unexpected(NoSolution{bound_ == infinity ? Reason::choices : Reason::unknown});
    if (hopeless()) return tl::unexpected(NoSolution{Reason::slower});
    if (!options_.memory.contains(quickest.bytes)) {
      const double sign = quickest.bytes > options_.memory.high ? 1 : -1;
      const std::optional<NoSolution> none = meet_memory(quickest, sign);
      if (none) return tl::unexpected(*none);
    }
    if (best_.cost >= cutoff_)
      return tl::unexpected(NoSolution{hopeless() ? Reason::slower : Reason::unknown});
    return solution();
  }

 private:
  /// No solution can be as quick as asked.
  bool hopeless() const { return bound_ < infinity && bound_ >= cutoff_; }

  double bytes_of(const std::vector<int>& choices) const {
    double bytes = pricing_.problem().fixed_bytes;
    for (std::size_t v = 0; v < choices.size(); ++v) bytes += bytes_[v][at(choices[v])];
    return bytes;
  }

  Candidate candidate(std::vector<int> choices) {
    Candidate candidate{std::move(choices), 0, 0};
    candidate.cost = total_cost(times_, candidate.choices);
    candidate.bytes = bytes_of(candidate.choices);
    if (options_.memory.contains(candidate.bytes) && candidate.cost < best_.cost) best_ = candidate;
    return candidate;
  }

  FactorGraph priced(double time_share, double byte_price) const {
    FactorGraph graph = times_;
    for (std::size_t v = 0; v < graph.costs.size(); ++v)
      for (std::size_t c = 0; c < graph.costs[v].size(); ++c)
        graph.costs[v][c] = time_share * graph.costs[v][c] + byte_price * bytes_[v][c];
    if (time_share == 1) return graph;
    for (Factor& factor : graph.factors)
      for (double& cost : factor.costs)
        if (cost < infinity) cost *= time_share;
    return graph;
  }

  /// The quickest when a byte costs `price` microseconds. Its bound, less what the range's end
  /// costs, is one of the whole problem.
  Candidate at_price(double price, const MinimiseOptions& options = {}) {
    const Minimum minimum = minimise(priced(1, price), options);
    const double end = price > 0 ? options_.memory.high : price < 0 ? options_.memory.low : 0;
    const double bound =
        minimum.bound - (price == 0 ? 0 : price * (end - pricing_.problem().fixed_bytes));
    if (bound >= bound_ || raises_.empty()) {
      bound_ = bound;
      price_ = price;
      raises_ = minimum.raises;
    }
    return minimum.choices.empty() ? Candidate{} : candidate(minimum.choices);
  }

  /// Nothing, or why there is no solution. `sign`: 1 keep less, -1 keep more than the quickest.
  std::optional<NoSolution> meet_memory(const Candidate& quickest, double sign) {
    const double end = sign > 0 ? options_.memory.high : options_.memory.low;
    const auto excess = [&](const Candidate& c) { return sign * (c.bytes - end); };
    Candidate inside = extreme(sign);
    if (inside.choices.empty()) return NoSolution{NoSolution::Reason::unknown};
    if (!options_.memory.contains(inside.bytes) && excess(inside) > 0)
      return NoSolution{NoSolution::Reason::memory, inside.bytes};
    Candidate outside = quickest;
    for (int i = 0; i < prices_max && !hopeless(); ++i) {
      const double slope = (inside.cost - outside.cost) / (excess(outside) - excess(inside));
      if (!(slope > 0) || !std::isfinite(slope)) break;
      Candidate next = at_price(sign * slope);
      if (next.choices.empty()) break;
      const auto value = [&](const Candidate& c) { return c.cost + slope * excess(c); };
      if (value(next) >= value(inside) - tolerance * std::abs(value(inside))) break;
      (excess(next) > 0 ? outside : inside) = std::move(next);
      relink(inside, outside, sign, end);
    }
    if (hopeless()) return NoSolution{NoSolution::Reason::slower};
    if (best_.choices.empty() || best_.cost - bound_ > tolerance * best_.cost) close_gap();
    if (!best_.choices.empty()) return std::nullopt;
    if (hopeless()) return NoSolution{NoSolution::Reason::slower};
    if (bound_ == infinity) return NoSolution{NoSolution::Reason::memory, inside.bytes};
    return NoSolution{NoSolution::Reason::unknown};
  }

  /// Looks between a solution within the range and one beyond its end.
  void relink(const Candidate& inside, const Candidate& outside, double sign, double end) {
    std::vector<std::vector<double>> weights = bytes_;
    for (std::vector<double>& of_variable : weights)
      for (double& weight : of_variable) weight *= sign;
    candidate(
        relinked(times_, weights, inside.choices, outside.choices, sign * (end - inside.bytes)));
  }

  /// One of those that keep least (most).
  Candidate extreme(double sign) {
    double scale = 0;
    for (const std::vector<double>& bytes : bytes_)
      for (const double b : bytes) scale = std::max(scale, b);
    const Minimum least = minimise(priced(0, sign / std::max(scale, 1.0)));
    return least.choices.empty() ? Candidate{} : candidate(least.choices);
  }

  void close_gap() {
    at_price(price_, {.first_passes = closing_passes});
    const double limit = std::min(best_.cost, cutoff_);
    Domains left(times_.costs.size());
    for (std::size_t v = 0; v < left.size(); ++v)
      for (std::size_t c = 0; c < times_.costs[v].size(); ++c)
        if (raises_[v][c] <= limit - bound_) left[v].push_back(static_cast<int>(c));
    drop_impossible(times_, left);
    const FactorGraph graph = restricted(times_, left);
    LinearRange range;
    double scale = std::isfinite(options_.memory.high) ? options_.memory.high : options_.memory.low;
    scale = scale > 0 ? scale : 1;
    range.low = (options_.memory.low - pricing_.problem().fixed_bytes) / scale;
    range.high = (options_.memory.high - pricing_.problem().fixed_bytes) / scale;
    for (std::size_t v = 0; v < left.size(); ++v) {
      range.weights.emplace_back();
      for (const int c : left[v]) range.weights.back().push_back(bytes_[v][at(c)] / scale);
    }
    const IntegerMinimum minimum = minimise_integer(graph, range, limit, options_.nodes);
    if (!minimum.choices.empty()) {
      std::vector<int> choices;
      for (std::size_t v = 0; v < left.size(); ++v)
        choices.push_back(left[v][at(minimum.choices[v])]);
      candidate(std::move(choices));
    }
    // Everything that was left out costs at least the limit.
    bound_ = std::max(bound_, std::min(minimum.bound, limit));
  }

  Solution solution() const {
    std::vector<int> choices;
    for (std::size_t v = 0; v < domains_.size(); ++v)
      choices.push_back(domains_[v][at(best_.choices[v])]);
    Solution solution = pricing_.price(std::move(choices));
    CHECK_INVARIANT(options_.memory.contains(solution.memory_bytes));
    const bool proven = best_.cost - bound_ <= tolerance * std::abs(best_.cost);
    solution.bound =
        proven ? solution.time : std::min(solution.time, base::Seconds::from_us(bound_));
    return solution;
  }

  const Pricing& pricing_;
  const SolveOptions& options_;
  Domains domains_;
  double cutoff_;  // microseconds
  bool solvable_ = true;
  FactorGraph times_;
  std::vector<std::vector<double>> bytes_;
  Candidate best_;
  double bound_ = -infinity;
  double price_ = 0;
  std::vector<std::vector<double>> raises_;
};

}  // namespace

tl::expected<Solution, NoSolution> solve(const Pricing& pricing, const SolveOptions& options) {
  return Search(pricing, options).run();
}

tl::expected<Solution, NoSolution> solve(const Problem& problem, const SolveOptions& options) {
  return solve(Pricing(problem), options);
}

}  // namespace strategies::autoshard
