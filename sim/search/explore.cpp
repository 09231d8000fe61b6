#include "sim/search/explore.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.hpp"

namespace sim::search {

namespace {

using strategies::Plan;
using strategies::ScheduleKind;

/// Sums in another order differ by roundings; a floor is one as far as those go.
constexpr double rounding = 1 - 1e-9;

bool refused(Plan& plan, const strategies::ModelSpec& model, int gpus) {
  return base::has_errors(strategies::check_plan(plan, model, gpus, {}));
}

base::Bytes largest_memory(const topology::Cluster& cluster,
                           const std::vector<topology::GpuId>& gpus) {
  base::Bytes most;
  for (const topology::GpuId gpu : gpus) most = std::max(most, cluster.gpu_spec(gpu).memory);
  return most;
}

/// Whether some plan of the space runs a cell at once with another (Cell::overlapped); of a table
/// that its user wrote that is not known here.
bool runs_cells_at_once(const Space& space) {
  const auto may = [](ScheduleKind kind) {
    return kind == ScheduleKind::dualpipe || kind == ScheduleKind::dualpipe_v ||
           kind == ScheduleKind::table;
  };
  const std::vector<int>& schedules = space.of(Axis::schedule);
  return space.base.overlap.expert || may(space.base.schedule) ||
         std::any_of(schedules.begin(), schedules.end(),
                     [&](int value) { return may(static_cast<ScheduleKind>(value)); });
}

/// The order of those axes along which there are several ranks.
std::vector<strategies::Axis> order_that_matters(const strategies::AxisOrder& order,
                                                 const Plan& plan) {
  std::vector<strategies::Axis> axes;
  for (const strategies::Axis axis : order) {
    const bool alone = (axis == strategies::Axis::tensor && plan.tensor == 1) ||
                       (axis == strategies::Axis::context && plan.context.degree == 1) ||
                       (axis == strategies::Axis::pipeline && plan.pipeline == 1) ||
                       (axis == strategies::Axis::expert && !plan.expert.own_axis);
    if (!alone) axes.push_back(axis);
  }
  return axes;
}

/// Whether an earlier order of the space puts the ranks of a unit where this one does.
bool same_as_earlier_order(const Space& space, const PlanCode& code, const Plan& plan) {
  const auto mine = order_that_matters(plan.order, plan);
  for (int i = 0; i < code[Axis::rank_order]; ++i) {
    Plan other = plan;
    space.apply(Axis::rank_order, i, other);
    if (order_that_matters(other.order, plan) == mine) return true;
  }
  return false;
}

}  // namespace

Counts& Counts::operator+=(const Counts& other) {
  refused += other.refused;
  memory += other.memory;
  slower += other.slower;
  estimated += other.estimated;
  return *this;
}

void Best::add(const Candidate& candidate) {
  const auto end = all_.begin() + count_;
  const auto place = std::lower_bound(all_.begin(), end, candidate);
  if (place == all_.end()) return;
  if (count_ < kept_candidates) ++count_;
  std::move_backward(place, all_.begin() + count_ - 1, all_.begin() + count_);
  *place = candidate;
}

Explorer::Explorer(const Space& space, const strategies::ModelSpec& model,
                   const topology::Cluster& cluster, const calibrate::Profile& profile,
                   std::vector<topology::GpuId> gpus)
    : space_(space),
      model_(model),
      gpus_(static_cast<int>(gpus.size())),
      capacity_(largest_memory(cluster, gpus)),
      estimator_(model, cluster, profile, gpus),
      cells_at_once_(runs_cells_at_once(space)) {}

Plan Explorer::plan(const PlanCode& code) const {
  Plan made = space_.plan(code);
  CHECK_INVARIANT(!refused(made, model_, gpus_));
  return made;
}

double Explorer::plans_below(Plan plan, int next) const {
  if (next == axis_count) return 1;
  const auto axis = static_cast<Axis>(next);
  // What an axis after it matters may depend on these.
  const bool decides = axis == Axis::tensor_parallel || axis == Axis::pipeline_parallel ||
                       axis == Axis::schedule || axis == Axis::zero;
  const int size = matters(axis, plan) ? space_.size(axis) : 1;
  double plans = 0;
  for (int i = 0; i < (decides ? size : 1); ++i) {
    space_.apply(axis, i, plan);
    plans += plans_below(plan, next + 1) * (decides ? 1 : size);
  }
  return plans;
}

std::vector<PlanCode> Explorer::units(Counts& counts) const {
  std::vector<PlanCode> all;
  Plan plan = space_.base;
  plan.data = 0;
  add_units({}, plan, 0, all, counts);
  return all;
}

void Explorer::add_units(PlanCode code, const Plan& plan, int next, std::vector<PlanCode>& all,
                         Counts& counts) const {
  if (next == unit_axes) {
    if (same_as_earlier_order(space_, code, plan)) return;
    if (any_fits(plan))
      all.push_back(code);
    else
      counts.refused += plans_below(plan, unit_axes);
    return;
  }
  const auto axis = static_cast<Axis>(next);
  const int size = matters(axis, plan) ? space_.size(axis) : 1;
  for (int i = 0; i < size; ++i) {
    Plan decided = plan;
    space_.apply(axis, i, decided);
    code[axis] = static_cast<std::uint16_t>(i);
    add_units(code, decided, next + 1, all, counts);
  }
}

double Explorer::plans_of_unit(const PlanCode& unit) const {
  return plans_below(space_.plan(unit), unit_axes);
}

std::vector<Explorer::ScheduleCode> Explorer::schedules(const Plan& unit) const {
  std::vector<ScheduleCode> all;
  const int kinds = matters(Axis::schedule, unit) ? space_.size(Axis::schedule) : 1;
  for (int kind = 0; kind < kinds; ++kind) {
    Plan plan = unit;
    space_.apply(Axis::schedule, kind, plan);
    const int chunks = matters(Axis::virtual_stages, plan) ? space_.size(Axis::virtual_stages) : 1;
    for (int chunk = 0; chunk < chunks; ++chunk) all.push_back({kind, chunk});
  }
  return all;
}

bool Explorer::any_fits(const Plan& unit) const {
  for (int zero = 0; zero < space_.size(Axis::zero); ++zero)
    for (const ScheduleCode& schedule : schedules(unit)) {
      Plan plan = unit;
      space_.apply(Axis::schedule, schedule.kind, plan);
      space_.apply(Axis::virtual_stages, schedule.chunks, plan);
      space_.apply(Axis::zero, zero, plan);
      plan.data_replicate = 1;
      if (!refused(plan, model_, gpus_)) return true;
    }
  return false;
}

double Explorer::floor(const PlanCode& unit) {
  estimator_.slow_network(1);
  if (cells_at_once_) return 0;
  const std::vector<int>& recompute = space_.of(Axis::recompute);
  double least = std::numeric_limits<double>::infinity();
  for (const bool sharded : {false, true}) {
    const auto zero = stage_of_zero(sharded);
    if (!zero) continue;
    PlanCode code = unit;
    code[Axis::zero] = *zero;
    code[Axis::recompute] = static_cast<std::uint16_t>(
        std::min_element(recompute.begin(), recompute.end()) - recompute.begin());
    Plan plan = space_.plan(code);
    plan.schedule = ScheduleKind::one_f_one_b;
    plan.virtual_stages = 1;
    plan.data_replicate = 1;
    if (!refused(plan, model_, gpus_)) least = std::min(least, estimator_.busiest(plan).s());
  }
  return std::isinf(least) ? 0 : least * rounding;
}

std::optional<std::uint16_t> Explorer::stage_of_zero(bool sharded_parameters) const {
  const std::vector<int>& stages = space_.of(Axis::zero);
  std::optional<std::uint16_t> found;
  for (std::size_t i = 0; i < stages.size(); ++i)
    if ((stages[i] == 3) == sharded_parameters && (!found || stages[i] > stages[*found]))
      found = static_cast<std::uint16_t>(i);
  return found;
}

std::vector<Explorer::Branch> Explorer::branches(const PlanCode& unit, double limit,
                                                 UnitAnswer& answer) {
  std::vector<Branch> all;
  const Plan unit_plan = space_.plan(unit);
  const int recomputes = matters(Axis::recompute, unit_plan) ? space_.size(Axis::recompute) : 1;
  for (int recompute = 0; recompute < recomputes; ++recompute)
    for (const ScheduleCode& schedule : schedules(unit_plan))
      for (const bool sharded : {false, true}) {
        const auto zero = stage_of_zero(sharded);
        if (!zero) continue;
        Branch branch{unit, 0, sharded};
        branch.code[Axis::recompute] = static_cast<std::uint16_t>(recompute);
        branch.code[Axis::schedule] = static_cast<std::uint16_t>(schedule.kind);
        branch.code[Axis::virtual_stages] = static_cast<std::uint16_t>(schedule.chunks);
        branch.code[Axis::zero] = *zero;
        Plan plan = space_.plan(branch.code);
        plan.data_replicate = 1;  // shards most
        const double plans = plans_of(branch);
        if (refused(plan, model_, gpus_)) {
          answer.counts.refused += plans;
        } else if (!cells_at_once_ && estimator_.busiest(plan).s() * rounding > limit) {
          answer.counts.slower += plans;
        } else if (estimator_.memory(plan) + reserve_ > capacity_) {
          answer.counts.memory += plans;
        } else {
          branch.floor = estimator_.pipeline(plan).s() * rounding;
          all.push_back(branch);
        }
      }
  std::stable_sort(all.begin(), all.end(),
                   [](const Branch& a, const Branch& b) { return a.floor < b.floor; });
  return all;
}

double Explorer::plans_of(const Branch& branch) const {
  double plans = 0;
  for (int zero = 0; zero < space_.size(Axis::zero); ++zero) {
    PlanCode code = branch.code;
    code[Axis::zero] = static_cast<std::uint16_t>(zero);
    if (belongs(branch, zero))
      plans += plans_below(space_.plan(code), static_cast<int>(Axis::data_replicate));
  }
  return plans;
}

bool Explorer::belongs(const Branch& branch, int zero) const {
  return (space_.of(Axis::zero)[static_cast<std::size_t>(zero)] == 3) == branch.sharded_parameters;
}

double Explorer::slowdown(const PlanCode& code, double step) {
  const Plan made = plan(code);
  double low = 1;
  double high = slowdown_max;
  constexpr int halvings = 12;  // to 0.4 % of the way
  for (int i = 0; i < halvings; ++i) {
    const double middle = (low + high) / 2;
    estimator_.slow_network(middle);
    (estimator_.step(made).s() < step ? low : high) = middle;
  }
  return low;
}

UnitAnswer Explorer::explore(const PlanCode& unit, double limit, base::Bytes reserve,
                             double slowdown) {
  reserve_ = reserve;
  estimator_.slow_network(slowdown);
  UnitAnswer answer;
  for (const Branch& branch : branches(unit, limit, answer)) {
    if (branch.floor > std::min(limit, answer.best.limit())) {
      answer.counts.slower += plans_of(branch);
      continue;
    }
    for (int zero = 0; zero < space_.size(Axis::zero); ++zero) {
      if (!belongs(branch, zero)) continue;
      PlanCode code = branch.code;
      code[Axis::zero] = static_cast<std::uint16_t>(zero);
      const int replicas =
          matters(Axis::data_replicate, space_.plan(code)) ? space_.size(Axis::data_replicate) : 1;
      for (int r = 0; r < replicas; ++r) {
        code[Axis::data_replicate] = static_cast<std::uint16_t>(r);
        leaves(code, limit, answer);
      }
    }
  }
  return answer;
}

void Explorer::leaves(PlanCode code, double limit, UnitAnswer& answer) {
  Plan plan = space_.plan(code);
  const auto below = static_cast<int>(Axis::bucket);
  const double plans = plans_below(plan, below);
  if (refused(plan, model_, gpus_)) {
    answer.counts.refused += plans;
    return;
  }
  if (estimator_.memory(plan) + reserve_ > capacity_) {
    answer.counts.memory += plans;
    return;
  }
  const auto choices = [&](Axis axis) {
    return matters(axis, plan) ? static_cast<std::uint16_t>(space_.size(axis)) : std::uint16_t{1};
  };
  for (code[Axis::bucket] = 0; code[Axis::bucket] < choices(Axis::bucket); ++code[Axis::bucket])
    for (code[Axis::gradient_reduce] = 0;
         code[Axis::gradient_reduce] < choices(Axis::gradient_reduce);
         ++code[Axis::gradient_reduce])
      for (code[Axis::parameter_gather] = 0;
           code[Axis::parameter_gather] < choices(Axis::parameter_gather);
           ++code[Axis::parameter_gather]) {
        Plan leaf = space_.plan(code);
        if (refused(leaf, model_, gpus_)) {
          answer.counts.refused += 1;
          continue;
        }
        answer.counts.estimated += 1;
        const Candidate candidate{code, estimator_.step(leaf).s()};
        if (candidate.step <= limit) answer.best.add(candidate);
      }
}

}  // namespace sim::search
