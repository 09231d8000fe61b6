#include "calibrate/store/diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <map>
#include <utility>

#include "base/name_table.hpp"
#include "calibrate/store/kernel_shape.hpp"
#include "calibrate/store/store.hpp"

namespace calibrate::store {

namespace {

/// One measurement.
struct Repeat {
  const Times* times;
  bool in_the_mean;  ///< whether its mean counts, else what is typical

  double typical() const { return in_the_mean ? times->mean : times->typical(); }
  bool is_median() const { return !in_the_mean && times->p50 > 0; }
};

/// Measurements of one size in one calibration.
using Repeats = std::vector<Repeat>;

struct Thing {
  MeasuredGroup of;
  std::optional<MeasuredGroup> beside;
  std::map<std::string, Repeats> sizes;

  bool is(const MeasuredGroup& group, const std::optional<MeasuredGroup>& at_once) const {
    return of.same_thing(group) && beside.has_value() == at_once.has_value() &&
           (!beside || beside->same_thing(*at_once));
  }
};

template <class Things>
auto find(Things& things, const MeasuredGroup& group, const std::optional<MeasuredGroup>& beside) {
  return std::find_if(things.begin(), things.end(),
                      [&](const Thing& thing) { return thing.is(group, beside); });
}

/// Sizes in the order of their numbers.
std::string size_key(const CollectiveRecord& record) {
  return fmt::format("{:020} bytes", record.bytes.count());
}

std::string size_key(const KernelRecord& record) {
  if (record.rows == 0 && record.columns == 0) return shape_text(record.kernel);
  return fmt::format("{} x {}, {}", record.rows, record.columns, shape_text(record.kernel));
}

std::vector<Thing> things_of(const std::vector<RunRecords>& runs) {
  std::vector<Thing> things;
  for (const MeasuredGroup& group : groups_of(runs)) things.push_back({group, {}, {}});
  for (const MeasuredOverlap& overlap : overlaps_of(runs)) {
    things.push_back({overlap.collective, overlap.kernel, {}});
    things.push_back({overlap.kernel, overlap.collective, {}});
  }
  const auto put = [&](const auto& record) {
    if (usable(record))
      find(things, group_of(record), {})->sizes[size_key(record)].push_back({&record.times, false});
  };
  for (const RunRecords& run : runs) {
    for (const CollectiveRecord& record : run.collectives) put(record);
    for (const KernelRecord& record : run.kernels) put(record);
    for (const OverlapRecord& both : run.overlaps) {
      if (!usable(run, both)) continue;
      const CollectiveRecord& collective = run.collectives[both.collective];
      const KernelRecord& kernel = run.kernels[both.kernel];
      const MeasuredGroup of_collective = group_of(collective);
      const MeasuredGroup of_kernel = group_of(kernel);
      find(things, of_collective, of_kernel)
          ->sizes[size_key(collective)]
          .push_back({&both.collective_times, true});
      find(things, of_kernel, of_collective)
          ->sizes[fmt::format("{}, beside {} bytes", size_key(kernel), collective.bytes.count())]
          .push_back({&both.kernel_times, true});
    }
  }
  return things;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// How much wider an error is that was estimated from so many values.
double widening(int values) {
  namespace math = boost::math;
  const double sure = math::cdf(math::normal(), errors_to_be_sure);
  return math::quantile(math::students_t(values - 1), sure) / errors_to_be_sure;
}

struct Typical {
  double seconds = 0;
  std::optional<double> error;  ///< standard, in parts of it
};

Typical typical_of(const Repeats& repeats) {
  constexpr double median_over_mean = 1.2533;  // sqrt(pi / 2)
  std::vector<double> seconds;
  double squares = 0;
  bool known = true;
  for (const Repeat& repeat : repeats) {
    const Times& times = *repeat.times;
    seconds.push_back(repeat.typical());
    if (times.deviation <= 0 || times.iterations < 2) {
      known = false;
      continue;
    }
    const double error = times.deviation / std::sqrt(times.iterations) / repeat.typical() *
                         (repeat.is_median() ? median_over_mean : 1) * widening(times.iterations);
    squares += error * error;
  }
  Typical typical{median(std::move(seconds)), std::nullopt};
  if (known) typical.error = std::sqrt(squares) / static_cast<double>(repeats.size());
  return typical;
}

Verdict judge(double drift, const std::optional<double>& error) {
  if (std::abs(change_of(drift)) < change_that_counts) return Verdict::same;
  if (!error) return Verdict::unsure;
  const double chance = errors_to_be_sure * *error;
  if (std::abs(drift) <= chance)
    return chance > change_to_be_seen ? Verdict::unsure : Verdict::same;
  return drift > 0 ? Verdict::slower : Verdict::faster;
}

ChangedRow compare(const std::string& size, const Repeats& a, const Repeats& b) {
  const Typical before = typical_of(a);
  const Typical after = typical_of(b);
  ChangedRow row;
  row.size = size.substr(std::min(size.find_first_not_of('0'), size.size()));
  row.before = before.seconds;
  row.after = after.seconds;
  row.drift = std::log(after.seconds / before.seconds);
  if (before.error && after.error) row.error = std::hypot(*before.error, *after.error);
  row.verdict = judge(row.drift, row.error);
  return row;
}

/// Mean and error of the rows.
void conclude(ChangedGroup& group) {
  const auto count = static_cast<double>(group.rows.size());
  double squares = 0;
  bool known = true;
  for (const ChangedRow& row : group.rows) {
    group.drift += row.drift / count;
    known = known && row.error.has_value();
    squares += row.error.value_or(0) * row.error.value_or(0);
  }
  if (known) group.error = std::sqrt(squares) / count;
  if (group.rows.size() >= 3) {
    double scatter = 0;
    for (const ChangedRow& row : group.rows)
      scatter += (row.drift - group.drift) * (row.drift - group.drift);
    const double error =
        std::sqrt(scatter / (count - 1) / count) * widening(static_cast<int>(group.rows.size()));
    group.error = std::max(group.error.value_or(0), error);
  }
  group.verdict = judge(group.drift, group.error);
}

ChangedGroup compare(const Thing* a, const Thing* b) {
  static const std::map<std::string, Repeats> none;
  const auto& in_a = a != nullptr ? a->sizes : none;
  const auto& in_b = b != nullptr ? b->sizes : none;
  ChangedGroup group;
  group.of = a != nullptr ? a->of : b->of;
  group.beside = a != nullptr ? a->beside : b->beside;
  for (const auto& [size, repeats] : in_a) {
    const auto other = in_b.find(size);
    if (other == in_b.end())
      group.only_in_a += 1;
    else
      group.rows.push_back(compare(size, repeats, other->second));
  }
  group.only_in_b = static_cast<int>(in_b.size() - group.rows.size());
  if (group.rows.empty())
    group.verdict = in_a.empty() ? Verdict::only_in_b : Verdict::only_in_a;
  else
    conclude(group);
  return group;
}

const Thing* same_in(const std::vector<Thing>& things, const Thing& thing) {
  const auto found = find(things, thing.of, thing.beside);
  return found == things.end() ? nullptr : &*found;
}

constexpr std::array<std::pair<std::string_view, Verdict>, 6> verdict_names{{
    {"same", Verdict::same},
    {"slower", Verdict::slower},
    {"faster", Verdict::faster},
    {"unsure", Verdict::unsure},
    {"only in A", Verdict::only_in_a},
    {"only in B", Verdict::only_in_b},
}};

}  // namespace

std::string_view name_of(Verdict verdict) { return base::name_in(verdict_names, verdict); }

double change_of(double drift) { return std::expm1(drift); }

int ChangedGroup::count(Verdict which) const {
  return static_cast<int>(std::count_if(
      rows.begin(), rows.end(), [&](const ChangedRow& row) { return row.verdict == which; }));
}

Difference difference(const std::vector<RunRecords>& a, const std::vector<RunRecords>& b) {
  const std::vector<Thing> in_a = things_of(a);
  const std::vector<Thing> in_b = things_of(b);
  Difference all;
  for (const Thing& thing : in_a) all.groups.push_back(compare(&thing, same_in(in_b, thing)));
  for (const Thing& thing : in_b)
    if (same_in(in_a, thing) == nullptr) all.groups.push_back(compare(nullptr, &thing));
  std::vector<double> drifts;
  for (const ChangedGroup& group : all.groups) {
    if (group.rows.empty()) continue;
    drifts.push_back(group.drift);
    all.slower += group.verdict == Verdict::slower ? 1 : 0;
    all.faster += group.verdict == Verdict::faster ? 1 : 0;
    all.unsure += group.verdict == Verdict::unsure ? 1 : 0;
  }
  all.compared = static_cast<int>(drifts.size());
  if (!drifts.empty()) all.drift = median(drifts);
  return all;
}

}  // namespace calibrate::store
