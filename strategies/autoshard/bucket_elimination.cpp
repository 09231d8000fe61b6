#include "strategies/autoshard/bucket_elimination.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// One label for each combination of labels that occurs.
struct Joint {
  std::vector<int> labels;                   ///< by choice
  std::vector<std::vector<int>> components;  ///< by joint label, in the order of the inputs
};

Joint join(const std::vector<const std::vector<int>*>& labels, std::size_t choices) {
  Joint joint;
  std::map<std::vector<int>, int> known;
  for (std::size_t c = 0; c < choices; ++c) {
    std::vector<int> combination;
    for (const std::vector<int>* one : labels) combination.push_back((*one)[c]);
    const auto [it, is_new] = known.emplace(combination, static_cast<int>(joint.components.size()));
    if (is_new) joint.components.push_back(std::move(combination));
    joint.labels.push_back(it->second);
  }
  return joint;
}

std::size_t axis_of(const Factor& factor, int variable) {
  return static_cast<std::size_t>(std::find(factor.scope.begin(), factor.scope.end(), variable) -
                                  factor.scope.begin());
}

}  // namespace

Elimination::Elimination(FactorGraph graph, const EliminationLimits& limits)
    : graph_(std::move(graph)), factors_of_(graph_.costs.size()) {
  for (std::size_t f = 0; f < graph_.factors.size(); ++f)
    for (const int v : graph_.factors[f].scope) factors_of_[at(v)].push_back(f);
  std::set<int> left;
  std::vector<double> work(graph_.costs.size());
  for (int v = 0; v < graph_.variables(); ++v) {
    left.insert(v);
    work[at(v)] = work_of(v, limits.scope);
  }
  while (!left.empty()) {
    const int next = *std::min_element(left.begin(), left.end(),
                                       [&](int a, int b) { return work[at(a)] < work[at(b)]; });
    if (work[at(next)] > limits.work) break;
    replace(next);
    left.erase(next);
    for (const int v : buckets_.back().scope) work[at(v)] = work_of(v, limits.scope);
  }
  // What is left, with numbers of its own.
  std::vector<int> number(graph_.costs.size(), -1);
  for (const int v : left) {
    number[at(v)] = static_cast<int>(core_variables_.size());
    core_variables_.push_back(v);
    core_.costs.push_back(graph_.costs[at(v)]);
  }
  core_.constant = graph_.constant;
  std::set<std::size_t> factors;
  for (const int v : left) factors.insert(factors_of_[at(v)].begin(), factors_of_[at(v)].end());
  for (const std::size_t f : factors) {
    core_.factors.push_back(std::move(graph_.factors[f]));
    for (int& v : core_.factors.back().scope) v = number[at(v)];
  }
  graph_ = {};
}

double Elimination::work_of(int variable, std::size_t scope_max) const {
  std::map<int, double> labels;  // combinations that a variable has at most
  for (const std::size_t f : factors_of_[at(variable)]) {
    const Factor& factor = graph_.factors[f];
    for (std::size_t a = 0; a < factor.scope.size(); ++a) {
      double& count = labels.emplace(factor.scope[a], 1).first->second;
      count = std::min(count * factor.extents[a],
                       static_cast<double>(graph_.costs[at(factor.scope[a])].size()));
    }
  }
  if (labels.size() > scope_max + 1) return infinity;
  double work = 1;
  for (const auto& [v, count] : labels) work *= count;
  return work;
}

Elimination::Bucket Elimination::bucket_of(int variable) const {
  Bucket bucket;
  bucket.variable = variable;
  std::map<int, std::vector<std::pair<std::size_t, std::size_t>>> uses;  // (factor, axis)
  for (const std::size_t f : factors_of_[at(variable)])
    for (std::size_t a = 0; a < graph_.factors[f].scope.size(); ++a)
      uses[graph_.factors[f].scope[a]].emplace_back(f, a);
  const auto joint_of = [&](int v) {
    std::vector<const std::vector<int>*> labels;
    for (const auto& [f, a] : uses[v]) labels.push_back(&graph_.factors[f].labels[a]);
    return join(labels, graph_.costs[at(v)].size());
  };
  std::map<int, Joint> joints;
  for (const auto& [v, list] : uses) {
    if (v == variable) continue;
    Joint joint = joint_of(v);
    bucket.scope.push_back(v);
    bucket.labels.push_back(joint.labels);
    bucket.extents.push_back(static_cast<int>(joint.components.size()));
    joints.emplace(v, std::move(joint));
  }
  const Joint own = joint_of(variable);
  bucket.own_labels = own.labels;
  bucket.own_costs.assign(own.components.size(), infinity);
  bucket.own_choices.assign(own.components.size(), -1);
  const std::vector<double>& costs = graph_.costs[at(variable)];
  for (std::size_t c = 0; c < costs.size(); ++c) {
    const std::size_t label = at(own.labels[c]);
    if (bucket.own_choices[label] >= 0 && costs[c] >= bucket.own_costs[label]) continue;
    bucket.own_costs[label] = costs[c];
    bucket.own_choices[label] = static_cast<int>(c);
  }
  for (std::size_t c = 0; c < costs.size(); ++c)
    bucket.own_extra.push_back(costs[c] - bucket.own_costs[at(own.labels[c])]);

  for (std::size_t i = 0; i < factors_of_[at(variable)].size(); ++i) {
    const Factor& factor = graph_.factors[factors_of_[at(variable)][i]];
    // Which of a variable's joint components belongs to this factor: its place among the uses.
    const auto component = [&](int v) {
      std::size_t place = 0;
      while (uses[v][place].first != factors_of_[at(variable)][i]) ++place;
      return place;
    };
    Part part;
    std::vector<std::size_t> strides(factor.scope.size(), 1);  // of the factor's own table
    for (std::size_t a = factor.scope.size(); a-- > 1;)
      strides[a - 1] = strides[a] * at(factor.extents[a]);
    std::vector<std::size_t> offsets{0};
    std::vector<std::size_t> extents;
    for (std::size_t s = 0; s < bucket.scope.size(); ++s) {
      const std::size_t axis = axis_of(factor, bucket.scope[s]);
      if (axis == factor.scope.size()) continue;
      part.axes.push_back(s);
      extents.push_back(at(bucket.extents[s]));
      std::vector<std::size_t> longer;
      const std::size_t place = component(bucket.scope[s]);
      for (const std::size_t offset : offsets)
        for (const std::vector<int>& components : joints.at(bucket.scope[s]).components)
          longer.push_back(offset + strides[axis] * at(components[place]));
      offsets = std::move(longer);
    }
    const std::size_t own_stride = strides[axis_of(factor, variable)];
    const std::size_t own_place = component(variable);
    for (const std::size_t offset : offsets)
      for (const std::vector<int>& components : own.components)
        part.costs.push_back(factor.costs[offset + own_stride * at(components[own_place])]);
    std::size_t stride = own.components.size();
    part.strides.resize(part.axes.size());
    for (std::size_t a = part.axes.size(); a-- > 0;) {
      part.strides[a] = stride;
      stride *= extents[a];
    }
    bucket.parts.push_back(std::move(part));
  }
  return bucket;
}

/// Calls visit(entry, labels of the scope, costs by own label) for all labels of the scope.
template <class Visit>
void Elimination::visit_entries(const Bucket& bucket, const Visit& visit) {
  const std::size_t axes = bucket.scope.size();
  const std::size_t own = bucket.own_costs.size();
  std::vector<std::size_t> labels(axes, 0);
  std::vector<double> steady(own);  // what does not depend on the last axis
  std::vector<double> costs(own);
  const auto add = [&](const Part& part, std::vector<double>& sum) {
    std::size_t offset = 0;
    for (std::size_t a = 0; a < part.axes.size(); ++a)
      offset += part.strides[a] * labels[part.axes[a]];
    const double* row = part.costs.data() + offset;
    for (std::size_t o = 0; o < own; ++o) sum[o] += row[o];
  };
  const std::size_t last = axes == 0 ? 1 : at(bucket.extents[axes - 1]);
  std::size_t entry = 0;
  for (bool more = true; more;) {
    steady = bucket.own_costs;
    for (const Part& part : bucket.parts)
      if (part.axes.empty() || part.axes.back() + 1 != axes) add(part, steady);
    for (std::size_t l = 0; l < last; ++l, ++entry) {
      if (axes > 0) labels[axes - 1] = l;
      costs = steady;
      for (const Part& part : bucket.parts)
        if (!part.axes.empty() && part.axes.back() + 1 == axes) add(part, costs);
      visit(entry, labels, costs);
    }
    more = false;
    for (std::size_t a = axes > 0 ? axes - 1 : 0; a-- > 0 && !more;) {
      more = ++labels[a] < at(bucket.extents[a]);
      if (!more) labels[a] = 0;
    }
  }
}

void Elimination::replace(int variable) {
  Bucket bucket = bucket_of(variable);
  Factor factor{bucket.scope, bucket.labels, bucket.extents, {}};
  visit_entries(
      bucket, [&](std::size_t, const std::vector<std::size_t>&, const std::vector<double>& costs) {
        const auto best = std::min_element(costs.begin(), costs.end());
        factor.costs.push_back(*best);
        bucket.best.push_back(static_cast<int>(best - costs.begin()));
      });
  for (const std::size_t f : std::vector<std::size_t>(factors_of_[at(variable)])) {
    for (const int v : graph_.factors[f].scope) std::erase(factors_of_[at(v)], f);
    graph_.factors[f] = {};
  }
  if (bucket.scope.empty()) {
    graph_.constant += factor.costs[0];
  } else if (bucket.scope.size() == 1) {
    std::vector<double>& costs = graph_.costs[at(bucket.scope[0])];
    for (std::size_t c = 0; c < costs.size(); ++c)
      costs[c] += factor.costs[at(factor.labels[0][c])];
  } else {
    for (const int v : factor.scope) factors_of_[at(v)].push_back(graph_.factors.size());
    graph_.factors.push_back(std::move(factor));
  }
  buckets_.push_back(std::move(bucket));
}

std::vector<int> Elimination::complete(const std::vector<int>& core_choices) const {
  std::vector<int> choices(core_variables_.size() + buckets_.size(), -1);
  for (std::size_t v = 0; v < core_variables_.size(); ++v)
    choices[at(core_variables_[v])] = core_choices[v];
  for (auto bucket = buckets_.rbegin(); bucket != buckets_.rend(); ++bucket) {
    std::size_t entry = 0;
    for (std::size_t s = 0; s < bucket->scope.size(); ++s)
      entry =
          entry * at(bucket->extents[s]) + at(bucket->labels[s][at(choices[at(bucket->scope[s])])]);
    choices[at(bucket->variable)] = bucket->own_choices[at(bucket->best[entry])];
  }
  return choices;
}

std::vector<std::vector<double>> Elimination::raises(
    const std::vector<std::vector<double>>& core_raises) const {
  std::vector<std::vector<double>> raises(core_variables_.size() + buckets_.size());
  for (std::size_t v = 0; v < core_variables_.size(); ++v)
    raises[at(core_variables_[v])] = core_raises[v];
  for (auto bucket = buckets_.rbegin(); bucket != buckets_.rend(); ++bucket) {
    // A combination of the scope costs at least what the dearest of its labels does.
    std::vector<std::vector<double>> by_label;
    for (std::size_t s = 0; s < bucket->scope.size(); ++s) {
      by_label.emplace_back(at(bucket->extents[s]), infinity);
      const std::vector<double>& of_choice = raises[at(bucket->scope[s])];
      for (std::size_t c = 0; c < of_choice.size(); ++c) {
        double& least = by_label[s][at(bucket->labels[s][c])];
        least = std::min(least, of_choice[c]);
      }
    }
    std::vector<double> own(bucket->own_costs.size(), infinity);
    visit_entries(*bucket, [&](std::size_t entry, const std::vector<std::size_t>& labels,
                               const std::vector<double>& costs) {
      double outside = 0;
      for (std::size_t s = 0; s < labels.size(); ++s)
        outside = std::max(outside, by_label[s][labels[s]]);
      const double best = costs[at(bucket->best[entry])];
      if (best == infinity) return;
      for (std::size_t o = 0; o < own.size(); ++o)
        own[o] = std::min(own[o], outside + costs[o] - best);
    });
    std::vector<double>& mine = raises[at(bucket->variable)];
    for (std::size_t c = 0; c < bucket->own_labels.size(); ++c)
      mine.push_back(own[at(bucket->own_labels[c])] + bucket->own_extra[c]);
  }
  return raises;
}

}  // namespace strategies::autoshard
