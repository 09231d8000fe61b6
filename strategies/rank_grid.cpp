#include "strategies/rank_grid.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"

namespace strategies {

namespace {

constexpr std::array<std::pair<std::string_view, Axis>, axis_count> axis_names{{
    {"tp", Axis::tensor},
    {"cp", Axis::context},
    {"dp_shard", Axis::data_shard},
    {"dp_replicate", Axis::data_replicate},
    {"pp", Axis::pipeline},
    {"ep", Axis::expert},
    {"ulysses", Axis::ulysses},
    {"ring", Axis::ring},
    {"etp", Axis::expert_tensor},
    {"edp_shard", Axis::expert_shard},
    {"edp_replicate", Axis::expert_replicate},
    {"ep_inner", Axis::expert_inner},
    {"ep_outer", Axis::expert_outer},
}};

std::size_t index_of(Axis axis) { return static_cast<std::size_t>(axis); }

int extent_of(const RankGrid::Extents& e, Axis dimension) {
  const std::array<int, dimension_count> all{e.tensor,         e.context,  e.data_shard,
                                             e.data_replicate, e.pipeline, e.expert};
  return all[index_of(dimension)];
}

}  // namespace

std::string name_of(AxisSet axes) {
  std::string name;
  const auto append = [&](std::string_view part) {
    name += name.empty() ? "" : "-";
    name += part;
  };
  const auto both = [&](Axis shard, Axis replicate) {
    return axes.has(shard) && axes.has(replicate);
  };
  const bool all_data = both(Axis::data_shard, Axis::data_replicate);
  const bool all_expert_data = both(Axis::expert_shard, Axis::expert_replicate);
  for (const auto& [text, axis] : axis_names) {
    if (!axes.has(axis)) continue;
    if (all_data && axis == Axis::data_replicate) continue;
    if (all_expert_data && axis == Axis::expert_replicate) continue;
    append(all_data && axis == Axis::data_shard            ? "dp"
           : all_expert_data && axis == Axis::expert_shard ? "edp"
                                                           : text);
  }
  return name;
}

std::vector<RankGrid::Factor> RankGrid::dimensions(const Extents& extents, const AxisOrder& order) {
  std::vector<Factor> factors;
  int stride = 1;
  for (const Axis axis : order) {
    const int extent = extent_of(extents, axis);
    CHECK_INVARIANT(extent >= 1);
    for (const Factor& factor : factors) CHECK_INVARIANT(factor.dimension != axis);
    factors.push_back({axis, stride, extent});
    stride *= extent;
  }
  return factors;
}

/// Cuts factors at the places where a view begins or ends; says why where that cannot be.
std::string RankGrid::cut(std::vector<Factor>& factors, const Extents& extents,
                          const Views& views) {
  // Inside the factors that `counted` takes, from the fastest on, a view ends after `ranks` ranks.
  const auto cut_after = [&](std::int64_t ranks, auto&& counted) {
    std::int64_t below = 1;
    for (std::size_t i = 0; i < factors.size(); ++i) {
      if (!counted(factors[i]) || factors[i].extent == 1) continue;
      if (below == ranks) return true;
      const int whole = factors[i].extent;
      if (below * whole <= ranks) {
        below *= whole;
        continue;
      }
      if (ranks % below != 0 || whole % (ranks / below) != 0) return false;
      const auto inner = static_cast<int>(ranks / below);
      Factor outer = factors[i];
      outer.stride *= inner;
      outer.extent /= inner;
      factors[i].extent = inner;
      factors.insert(factors.begin() + static_cast<std::ptrdiff_t>(i) + 1, outer);
      return true;
    }
    return below == ranks;
  };
  const auto in_context = [](const Factor& f) { return f.dimension == Axis::context; };
  if (!cut_after(views.ulysses, in_context))
    return fmt::format("context_parallel {} cannot be divided by ulysses {}", extents.context,
                       views.ulysses);
  if (extents.expert > 1) {
    const auto in_expert = [](const Factor& f) { return f.dimension == Axis::expert; };
    if (!cut_after(views.expert_inner, in_expert))
      return fmt::format("expert_parallel {} cannot be divided by {} ranks of a node",
                         extents.expert, views.expert_inner);
    return {};
  }
  const auto in_stage = [](const Factor& f) { return f.dimension != Axis::pipeline; };
  // Degrees of the user, whose product need not fit an int.
  const std::int64_t inner = std::int64_t{views.expert_tensor} * views.expert_inner;
  const std::int64_t experts = std::int64_t{views.expert_tensor} * views.expert;
  if (!cut_after(views.expert_tensor, in_stage) || !cut_after(inner, in_stage) ||
      !cut_after(experts, in_stage))
    return fmt::format(
        "expert_parallel {} x expert_tensor_parallel {} cannot be laid over the {} "
        "ranks of a stage",
        views.expert, views.expert_tensor,
        extents.tensor * extents.context * extents.data_shard * extents.data_replicate);
  std::int64_t below = 1;
  for (const Factor& factor : factors) {
    if (factor.dimension == Axis::pipeline || factor.extent == 1) continue;
    if (below < experts && factor.dimension == Axis::data_replicate)
      return fmt::format(
          "expert_parallel {} x expert_tensor_parallel {} reach into the replicas "
          "of HSDP",
          views.expert, views.expert_tensor);
    below *= factor.extent;
  }
  return {};
}

std::string RankGrid::misfit(const Extents& extents, const AxisOrder& order, const Views& views) {
  std::vector<Factor> factors = dimensions(extents, order);
  return cut(factors, extents, views);
}

RankGrid::RankGrid(const Extents& extents, const AxisOrder& order, const Views& views)
    : factors_(dimensions(extents, order)) {
  CHECK_INVARIANT(cut(factors_, extents, views).empty());
  for (const Factor& factor : factors_) size_ *= factor.extent;
  name_axes(extents, views);
}

void RankGrid::name_axes(const Extents& extents, const Views& views) {
  const bool own = extents.expert > 1;
  int context = 1;
  int stage = 1;
  int expert = 1;
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    const Axis dimension = factors_[i].dimension;
    const int extent = factors_[i].extent;
    const auto add = [&](Axis axis) { factors_of_axis_[index_of(axis)] |= FactorSet{1} << i; };
    if (dimension != Axis::expert || own) add(dimension);
    if (dimension == Axis::context) {
      add(context < views.ulysses ? Axis::ulysses : Axis::ring);
      context *= extent;
    }
    if (dimension == Axis::pipeline || extent == 1) continue;
    const auto add_expert = [&] {
      if (!own) add(Axis::expert);
      add(expert < views.expert_inner ? Axis::expert_inner : Axis::expert_outer);
      expert *= extent;
    };
    const Axis copies =
        dimension == Axis::data_replicate ? Axis::expert_replicate : Axis::expert_shard;
    if (own) {
      // The grid is as the plan has it: experts are an axis, and their matrices are divided as the
      // others or not at all.
      if (dimension == Axis::expert)
        add_expert();
      else if (dimension == Axis::tensor && views.expert_tensor > 1)
        add(Axis::expert_tensor);
      else if (dimension != Axis::tensor)
        add(copies);
      continue;
    }
    if (stage < views.expert_tensor)
      add(Axis::expert_tensor);
    else if (stage < views.expert_tensor * views.expert)
      add_expert();
    else
      add(copies);
    stage *= extent;
  }
}

RankGrid::FactorSet RankGrid::factors_of(AxisSet axes) const {
  FactorSet set = 0;
  for (std::size_t axis = 0; axis < axis_count; ++axis)
    if (axes.has(static_cast<Axis>(axis))) set |= factors_of_axis_[axis];
  return set;
}

int RankGrid::extent(AxisSet axes) const {
  const FactorSet set = factors_of(axes);
  int ranks = 1;
  for (std::size_t i = 0; i < factors_.size(); ++i)
    if ((set >> i) & 1U) ranks *= factors_[i].extent;
  return ranks;
}

int RankGrid::coordinate(int rank, Axis axis) const { return index_in_group(rank, axis); }

RankGrid::Coordinates RankGrid::coordinates(int rank) const {
  Coordinates at{};
  for (std::size_t axis = 0; axis < dimension_count; ++axis)
    at[axis] = coordinate(rank, static_cast<Axis>(axis));
  return at;
}

int RankGrid::rank(const Coordinates& at) const {
  int rank = 0;
  for (std::size_t axis = 0; axis < dimension_count; ++axis)
    rank = moved(rank, static_cast<Axis>(axis), at[axis]);
  return rank;
}

int RankGrid::moved(int rank, Axis axis, int value) const {
  const FactorSet set = factors_of(axis);
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    if (((set >> i) & 1U) == 0) continue;
    rank += (value % factors_[i].extent - digit(rank, i)) * factors_[i].stride;
    value /= factors_[i].extent;
  }
  return rank;
}

int RankGrid::group_of(int rank, AxisSet axes) const {
  // The other factors, fastest first, number the groups by lowest rank.
  const FactorSet set = factors_of(axes);
  int group = 0;
  int stride = 1;
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    if ((set >> i) & 1U) continue;
    group += digit(rank, i) * stride;
    stride *= factors_[i].extent;
  }
  return group;
}

std::vector<int> RankGrid::members(int group, AxisSet axes) const {
  const FactorSet set = factors_of(axes);
  int first = 0;
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    if ((set >> i) & 1U) continue;
    first += group % factors_[i].extent * factors_[i].stride;
    group /= factors_[i].extent;
  }
  std::vector<int> ranks{first};
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    if (((set >> i) & 1U) == 0) continue;
    const std::size_t inner = ranks.size();
    for (int copy = 1; copy < factors_[i].extent; ++copy)
      for (std::size_t j = 0; j < inner; ++j) ranks.push_back(ranks[j] + copy * factors_[i].stride);
  }
  return ranks;
}

int RankGrid::index_in_group(int rank, AxisSet axes) const {
  const FactorSet set = factors_of(axes);
  int index = 0;
  int stride = 1;
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    if (((set >> i) & 1U) == 0) continue;
    index += digit(rank, i) * stride;
    stride *= factors_[i].extent;
  }
  return index;
}

base::Result<AxisOrder> parse_rank_order(std::string_view text, const base::SourceRef& where) {
  const auto fail = [&](std::string message) {
    base::Diagnostics problems;
    problems.push_back({where, std::move(message),
                        "name tp, cp, dp (or dp_shard, dp_replicate), pp and ep once each, fastest "
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
      const auto known = std::find_if(axis_names.begin(), axis_names.begin() + dimension_count,
                                      [&](const auto& entry) { return entry.first == word; });
      if (known == axis_names.begin() + dimension_count)
        return fail(fmt::format("unknown axis '{}' in the rank order", word));
      fresh = add(known->second);
    }
    if (!fresh) return fail(fmt::format("axis '{}' stands twice in the rank order", word));
  }
  if (add(Axis::expert)) {  // beside tensor parallel, or else innermost
    order.pop_back();
    const auto tensor = std::find(order.begin(), order.end(), Axis::tensor);
    order.insert(tensor == order.end() ? order.begin() : tensor + 1, Axis::expert);
  }
  for (const Axis axis : default_order) add(axis);
  AxisOrder result{};
  std::copy(order.begin(), order.end(), result.begin());
  return result;
}

}  // namespace strategies
