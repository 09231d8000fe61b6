#include "strategies/rank_grid.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"

namespace strategies {

namespace {

constexpr std::array<Axis, axis_count> all_axes{Axis::tensor, Axis::context, Axis::data_shard,
                                                Axis::data_replicate, Axis::pipeline};
constexpr std::array<std::pair<std::string_view, Axis>, axis_count> axis_names{{
    {"tp", Axis::tensor},
    {"cp", Axis::context},
    {"dp_shard", Axis::data_shard},
    {"dp_replicate", Axis::data_replicate},
    {"pp", Axis::pipeline},
}};

std::size_t index_of(Axis axis) { return static_cast<std::size_t>(axis); }

}  // namespace

std::string name_of(AxisSet axes) {
  std::string name;
  const auto append = [&](std::string_view part) {
    name += name.empty() ? "" : "-";
    name += part;
  };
  const bool all_data = axes.has(Axis::data_shard) && axes.has(Axis::data_replicate);
  for (const auto& [text, axis] : axis_names) {
    if (!axes.has(axis)) continue;
    if (all_data && axis == Axis::data_replicate) continue;
    append(all_data && axis == Axis::data_shard ? "dp" : text);
  }
  return name;
}

RankGrid::RankGrid(std::array<int, axis_count> extents, std::array<Axis, axis_count> order)
    : extents_(extents), order_(order) {
  for (const Axis axis : order_) {
    CHECK_INVARIANT(extents_[index_of(axis)] >= 1);
    CHECK_INVARIANT(strides_[index_of(axis)] == 0);  // every axis is named once
    strides_[index_of(axis)] = size_;
    size_ *= extents_[index_of(axis)];
  }
}

int RankGrid::extent(AxisSet axes) const {
  int ranks = 1;
  for (const Axis axis : all_axes)
    if (axes.has(axis)) ranks *= extent(axis);
  return ranks;
}

RankGrid::Coordinates RankGrid::coordinates(int rank) const {
  Coordinates at{};
  for (const Axis axis : all_axes) at[index_of(axis)] = coordinate(rank, axis);
  return at;
}

int RankGrid::rank(const Coordinates& at) const {
  int rank = 0;
  for (std::size_t i = 0; i < axis_count; ++i) rank += at[i] * strides_[i];
  return rank;
}

int RankGrid::moved(int rank, Axis axis, int value) const {
  return rank + (value - coordinate(rank, axis)) * strides_[index_of(axis)];
}

int RankGrid::group_of(int rank, AxisSet axes) const {
  // The other axes, in order of their strides, number the groups by lowest rank.
  int group = 0;
  int stride = 1;
  for (const Axis axis : order_) {
    if (axes.has(axis)) continue;
    group += coordinate(rank, axis) * stride;
    stride *= extent(axis);
  }
  return group;
}

std::vector<int> RankGrid::members(int group, AxisSet axes) const {
  int first = 0;
  for (const Axis axis : order_) {
    if (axes.has(axis)) continue;
    first += group % extent(axis) * strides_[index_of(axis)];
    group /= extent(axis);
  }
  std::vector<int> ranks{first};
  for (const Axis axis : order_) {
    if (!axes.has(axis)) continue;
    const std::size_t inner = ranks.size();
    for (int i = 1; i < extent(axis); ++i)
      for (std::size_t j = 0; j < inner; ++j)
        ranks.push_back(ranks[j] + i * strides_[index_of(axis)]);
  }
  return ranks;
}

int RankGrid::index_in_group(int rank, AxisSet axes) const {
  int index = 0;
  int stride = 1;
  for (const Axis axis : order_) {
    if (!axes.has(axis)) continue;
    index += coordinate(rank, axis) * stride;
    stride *= extent(axis);
  }
  return index;
}

base::Result<std::array<Axis, axis_count>> parse_rank_order(std::string_view text,
                                                            const base::SourceRef& where) {
  const auto fail = [&](std::string message) {
    base::Diagnostics problems;
    problems.push_back({where, std::move(message),
                        "name tp, cp, dp (or dp_shard, dp_replicate) and pp once each, fastest "
                        "first, for example tp-cp-dp-pp"});
    return tl::unexpected(std::move(problems));
  };
  std::vector<Axis> order;
  const auto add = [&](Axis axis) {
    if (std::find(order.begin(), order.end(), axis) != order.end()) return false;
    order.push_back(axis);
    return true;
  };
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('-', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    begin = end + 1;
    bool fresh = false;
    if (word == "dp") {
      fresh = add(Axis::data_shard) && add(Axis::data_replicate);
    } else {
      const auto known = std::find_if(axis_names.begin(), axis_names.end(),
                                      [&](const auto& entry) { return entry.first == word; });
      if (known == axis_names.end())
        return fail(fmt::format("unknown axis '{}' in the rank order", word));
      fresh = add(known->second);
    }
    if (!fresh) return fail(fmt::format("axis '{}' stands twice in the rank order", word));
  }
  for (const Axis axis : all_axes) add(axis);
  std::array<Axis, axis_count> result{};
  std::copy(order.begin(), order.end(), result.begin());
  return result;
}

}  // namespace strategies
