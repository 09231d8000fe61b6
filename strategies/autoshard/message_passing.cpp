#include "strategies/autoshard/message_passing.hpp"

#include <algorithm>
#include <limits>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

MessagePassing::MessagePassing(const FactorGraph& graph)
    : graph_(graph), before_(graph.costs.size()), after_(graph.costs.size()) {
  for (std::size_t f = 0; f < graph.factors.size(); ++f) {
    const Factor& factor = graph.factors[f];
    CHECK_INVARIANT(factor.scope.size() == 2 && factor.scope[0] != factor.scope[1]);
    const std::size_t low = factor.scope[0] < factor.scope[1] ? 0 : 1;
    after_[at(factor.scope[low])].push_back({f, low});
    before_[at(factor.scope[1 - low])].push_back({f, 1 - low});
    messages_.push_back({std::vector<double>(at(factor.extents[0]), 0),
                         std::vector<double>(at(factor.extents[1]), 0)});
    std::vector<double> turned(factor.costs.size());
    for (int i = 0; i < factor.extents[0]; ++i)
      for (int j = 0; j < factor.extents[1]; ++j)
        turned[at(j * factor.extents[0] + i)] = factor.costs[at(i * factor.extents[1] + j)];
    turned_.push_back(std::move(turned));
  }
  bound_ = -infinity;
  raises_.resize(graph.costs.size());
}

std::vector<double> MessagePassing::gathered(int variable) const {
  std::vector<double> costs = graph_.costs[at(variable)];
  for (const auto* uses : {&before_[at(variable)], &after_[at(variable)]})
    for (const Use& use : *uses) {
      const std::vector<int>& labels = graph_.factors[use.factor].labels[use.axis];
      const std::vector<double>& message = messages_[use.factor][use.axis];
      for (std::size_t c = 0; c < costs.size(); ++c) costs[c] += message[at(labels[c])];
    }
  return costs;
}

double MessagePassing::send(const Use& from, const std::vector<double>& costs, double share) {
  const Factor& factor = graph_.factors[from.factor];
  std::vector<double> by_label(at(factor.extents[from.axis]), infinity);
  for (std::size_t c = 0; c < costs.size(); ++c) {
    double& least = by_label[at(factor.labels[from.axis][c])];
    least = std::min(least, share * costs[c]);
  }
  std::vector<double>& message = messages_[from.factor][1 - from.axis];
  std::fill(message.begin(), message.end(), infinity);
  // Rows of the table belong to the sender.
  const double* row = (from.axis == 0 ? factor.costs : turned_[from.factor]).data();
  for (std::size_t label = 0; label < by_label.size(); ++label, row += message.size()) {
    const double received = messages_[from.factor][from.axis][label];
    if (by_label[label] == infinity || received == infinity) continue;
    const double base = by_label[label] - received;
    for (std::size_t other = 0; other < message.size(); ++other)
      message[other] = std::min(message[other], base + row[other]);
  }
  const double least = *std::min_element(message.begin(), message.end());
  if (least < infinity)
    for (double& value : message) value -= least;
  return least;
}

void MessagePassing::iterate() {
  const auto share_of = [&](int v) {
    return 1.0 / static_cast<double>(
                     std::max<std::size_t>({before_[at(v)].size(), after_[at(v)].size(), 1}));
  };
  for (int v = 0; v < graph_.variables(); ++v) {
    const std::vector<double> costs = gathered(v);
    for (const Use& use : after_[at(v)]) send(use, costs, share_of(v));
  }
  // Of each variable's costs a share goes with every factor before it, the rest stays; what is sent
  // along a factor is the least of that share and the factor together. The sum of these least costs
  // is a bound. A choice that is dearer than the variable's best by x raises all chains through the
  // variable by x in sum.
  double bound = graph_.constant;
  for (int v = graph_.variables(); v-- > 0;) {
    std::vector<double> costs = gathered(v);
    const double least = *std::min_element(costs.begin(), costs.end());
    if (least == infinity) {
      bound_ = infinity;
      return;
    }
    bound += (1 - share_of(v) * static_cast<double>(before_[at(v)].size())) * least;
    for (const Use& use : before_[at(v)]) bound += send(use, costs, share_of(v));
    for (double& cost : costs) cost -= least;
    raises_[at(v)] = std::move(costs);
  }
  // At its turn in the pass a variable knew at least the bound of the pass before.
  const double gained = std::max(0.0, bound - bound_);
  for (std::vector<double>& raises : raises_)
    for (double& raise : raises) raise = std::max(0.0, raise - gained);
  bound_ = std::max(bound_, bound);
}

std::vector<int> MessagePassing::choices() const {
  std::vector<int> choices(graph_.costs.size(), 0);
  for (int v = 0; v < graph_.variables(); ++v) {
    std::vector<double> costs = graph_.costs[at(v)];
    for (const Use& use : after_[at(v)]) {
      const std::vector<int>& labels = graph_.factors[use.factor].labels[use.axis];
      const std::vector<double>& message = messages_[use.factor][use.axis];
      for (std::size_t c = 0; c < costs.size(); ++c) costs[c] += message[at(labels[c])];
    }
    for (const Use& use : before_[at(v)]) {
      const Factor& factor = graph_.factors[use.factor];
      const int other = factor.labels[1 - use.axis][at(choices[at(factor.scope[1 - use.axis])])];
      const std::vector<double>& rows = use.axis == 1 ? factor.costs : turned_[use.factor];
      const double* row = rows.data() + at(other) * at(factor.extents[use.axis]);
      for (std::size_t c = 0; c < costs.size(); ++c)
        costs[c] += row[at(factor.labels[use.axis][c])];
    }
    choices[at(v)] = static_cast<int>(std::min_element(costs.begin(), costs.end()) - costs.begin());
  }
  return choices;
}

}  // namespace strategies::autoshard
