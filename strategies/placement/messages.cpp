#include "strategies/placement/messages.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

namespace strategies::placement {

namespace {

/// The extremes of a set along each dim, to see quickly that two sets have nothing in common.
struct Bounds {
  std::vector<Interval> dims;

  explicit Bounds(const ElementSet& set) {
    for (const IndexProduct& product : set.products())
      for (std::size_t d = 0; d < product.dims.size(); ++d) {
        const std::vector<Interval>& intervals = product.dims[d].intervals();
        const Interval whole{intervals.front().begin, intervals.back().end};
        if (dims.size() <= d)
          dims.push_back(whole);
        else
          dims[d] = {std::min(dims[d].begin, whole.begin), std::max(dims[d].end, whole.end)};
      }
  }

  bool meet(const Bounds& other) const {
    for (std::size_t d = 0; d < std::min(dims.size(), other.dims.size()); ++d)
      if (dims[d].begin >= other.dims[d].end || other.dims[d].begin >= dims[d].end) return false;
    return true;
  }
};

std::vector<Bounds> bounds_of(const std::vector<const ElementSet*>& sets) {
  std::vector<Bounds> bounds;
  for (const ElementSet* set : sets) bounds.emplace_back(set == nullptr ? ElementSet() : *set);
  return bounds;
}

std::vector<int> dims_of(const std::vector<Message>& messages, const Mesh& mesh) {
  std::vector<int> dims;
  for (int d = 0; d < mesh.dims(); ++d)
    if (std::any_of(messages.begin(), messages.end(), [&](const Message& m) {
          return mesh.coordinate(m.from, d) != mesh.coordinate(m.to, d);
        }))
      dims.push_back(d);
  return dims;
}

bool all_equal(const std::vector<std::int64_t>& values) {
  return std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
}

/// What a group does, seen from its first rank's number.
struct Roles {
  std::set<int> senders;
  std::set<int> receivers;
};

/// Names a step by the pattern of its messages.
class Classifier {
 public:
  Classifier(RedistributionStep& step, const Exchange& exchange, const Mesh& mesh)
      : step_(step), exchange_(exchange), mesh_(mesh) {
    for (const Message& m : step.messages) {
      Roles& roles = groups_[mesh.first_of_group(m.from, step.mesh_dims)];
      roles.senders.insert(m.from);
      roles.receivers.insert(m.to);
    }
  }

  void name() {
    const std::int64_t ranks_in_group = group_size();
    if (every([](const Roles& r) { return r.receivers.size() == 1; }))
      name_as(step_.reduces ? base::Collective::reduce : base::Collective::gather, sizes());
    else if (step_.reduces)
      name_as(base::Collective::reduce_scatter, per_rank(step_.received(mesh_.size())));
    else if (sends_whole_pieces(ranks_in_group))
      name_as(single_sender() ? base::Collective::broadcast : base::Collective::all_gather,
              single_sender() ? std::vector<std::int64_t>{} : pieces());
    else if (single_sender())
      name_as(base::Collective::scatter, sizes());
    else
      name_as(base::Collective::all_to_all, all_sizes(ranks_in_group));
  }

 private:
  template <class Predicate>
  bool every(const Predicate& predicate) const {
    return std::all_of(groups_.begin(), groups_.end(),
                       [&](const auto& group) { return predicate(group.second); });
  }

  void name_as(base::Collective op, const std::vector<std::int64_t>& counts) {
    step_.op = op;
    step_.uneven = !all_equal(counts);
  }

  std::int64_t group_size() const {
    std::int64_t size = 1;
    for (const int d : step_.mesh_dims) size *= mesh_.extent(d);
    return size;
  }

  bool single_sender() const {
    return every([](const Roles& r) { return r.senders.size() == 1; });
  }

  std::int64_t held(int rank) const {
    return exchange_.senders[static_cast<std::size_t>(rank)]->size();
  }

  bool sends_whole_pieces(std::int64_t ranks_in_group) const {
    std::map<int, std::int64_t> receivers;
    for (const Message& m : step_.messages) {
      if (m.elements != held(m.from)) return false;
      ++receivers[m.from];
    }
    return std::all_of(receivers.begin(), receivers.end(),
                       [&](const auto& r) { return r.second == ranks_in_group - 1; });
  }

  std::vector<std::int64_t> sizes() const {
    std::vector<std::int64_t> sizes;
    for (const Message& m : step_.messages) sizes.push_back(m.elements);
    return sizes;
  }

  /// Message sizes, and a 0 if a pair of a group has no message.
  std::vector<std::int64_t> all_sizes(std::int64_t ranks_in_group) const {
    std::vector<std::int64_t> all = sizes();
    const auto pairs = static_cast<std::size_t>(mesh_.size() * (ranks_in_group - 1));
    if (all.size() < pairs) all.push_back(0);
    return all;
  }

  /// Of the ranks of all groups that do something.
  std::vector<std::int64_t> per_rank(const std::vector<std::int64_t>& values) const {
    std::vector<std::int64_t> picked;
    for (const auto& [first, roles] : groups_)
      for (const int rank : mesh_.group_of(first, step_.mesh_dims))
        picked.push_back(values[static_cast<std::size_t>(rank)]);
    return picked;
  }

  std::vector<std::int64_t> pieces() const {
    std::vector<std::int64_t> sizes;
    for (int rank = 0; rank < mesh_.size(); ++rank) sizes.push_back(held(rank));
    return per_rank(sizes);
  }

  RedistributionStep& step_;
  const Exchange& exchange_;
  const Mesh& mesh_;
  std::map<int, Roles> groups_;  ///< by first rank
};

}  // namespace

RedistributionStep run_exchange(const Exchange& exchange, const Mesh& mesh) {
  std::vector<int> open;  // mesh dims along which a receiver has more than one sender
  RedistributionStep step;
  for (int d = 0; d < mesh.dims(); ++d) {
    const Relation relation = exchange.relations[static_cast<std::size_t>(d)];
    if (relation != Relation::same) open.push_back(d);
    step.reduces = step.reduces || (relation == Relation::reduce && mesh.extent(d) > 1);
  }
  step.kept.assign(static_cast<std::size_t>(mesh.size()), 0);
  const std::vector<Bounds> held = bounds_of(exchange.senders);
  const std::vector<Bounds> wanted = bounds_of(exchange.receivers);
  for (int to = 0; to < mesh.size(); ++to) {
    const auto j = static_cast<std::size_t>(to);
    if (exchange.receivers[j] == nullptr) continue;
    for (const int from : mesh.group_of(to, open)) {
      const auto i = static_cast<std::size_t>(from);
      if (!held[i].meet(wanted[j])) continue;
      const std::int64_t elements = overlap(*exchange.senders[i], *exchange.receivers[j]);
      if (from == to)
        step.kept[j] = elements;
      else if (elements > 0)
        step.messages.push_back({from, to, elements});
    }
  }
  std::sort(step.messages.begin(), step.messages.end(), [](const Message& a, const Message& b) {
    return std::pair(a.from, a.to) < std::pair(b.from, b.to);
  });
  step.mesh_dims = dims_of(step.messages, mesh);
  if (!step.messages.empty()) Classifier(step, exchange, mesh).name();
  return step;
}

}  // namespace strategies::placement
