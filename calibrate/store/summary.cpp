#include "calibrate/store/summary.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace calibrate::store {

namespace {

auto key_of(const MeasuredGroup& group) {
  return std::tie(group.collective, group.what, group.library, group.device, group.dtype, group.way,
                  group.placement);
}

void append(std::string& words, std::string_view word) {
  if (word.empty()) return;
  if (!words.empty()) words += ' ';
  words += word;
}

struct Earlier {
  bool operator()(const MeasuredGroup& a, const MeasuredGroup& b) const {
    if (a.collective != b.collective) return a.collective;
    return key_of(a) < key_of(b);
  }
};

struct EarlierPair {
  template <class Pair>
  bool operator()(const Pair& a, const Pair& b) const {
    if (Earlier()(a.first, b.first)) return true;
    return !Earlier()(b.first, a.first) && Earlier()(a.second, b.second);
  }
};

}  // namespace

bool MeasuredGroup::same_thing(const MeasuredGroup& other) const {
  return key_of(*this) == key_of(other);
}

MeasuredGroup group_of(const CollectiveRecord& record) {
  MeasuredGroup group;
  group.what = base::name_of(record.op);
  group.library = record.library;
  group.device = record.device;
  group.dtype = record.dtype;
  append(group.way, record.algorithm);
  append(group.way, record.protocol);
  if (record.in_place) append(group.way, "in place");
  group.placement = record.placement;
  group.from = group.to = record.bytes.as_double();
  group.rows = 1;
  group.dropped = record.times.dropped;
  group.wrong = record.wrong.value_or(0) != 0 ? 1 : 0;
  return group;
}

MeasuredGroup group_of(const KernelRecord& record) {
  MeasuredGroup group;
  group.collective = false;
  group.what = record.kind;
  group.library = record.library;
  group.device = record.device;
  group.dtype = base::name_of(record.dtype);
  group.way = record.variant;
  group.placement.ranks = record.concurrent;
  group.in_flop = !std::holds_alternative<base::MemoryBound>(record.kernel);
  group.from = group.to = group.in_flop ? base::flop_of(record.kernel).count()
                                        : base::bytes_of(record.kernel).as_double();
  group.rows = 1;
  group.dropped = record.times.dropped;
  return group;
}

std::vector<MeasuredGroup> groups_of(const std::vector<RunRecords>& runs) {
  std::map<MeasuredGroup, MeasuredGroup, Earlier> groups;
  const auto count = [&](const MeasuredGroup& row) {
    const auto [found, is_new] = groups.emplace(row, row);
    if (is_new) return;
    MeasuredGroup& group = found->second;
    group.from = std::min(group.from, row.from);
    group.to = std::max(group.to, row.to);
    group.rows += row.rows;
    group.dropped += row.dropped;
    group.wrong += row.wrong;
  };
  for (const RunRecords& run : runs) {
    for (const CollectiveRecord& record : run.collectives) count(group_of(record));
    for (const KernelRecord& record : run.kernels) count(group_of(record));
  }
  std::vector<MeasuredGroup> all;
  for (auto& [key, group] : groups) all.push_back(std::move(group));
  return all;
}

std::vector<MeasuredOverlap> overlaps_of(const std::vector<RunRecords>& runs) {
  std::map<std::pair<MeasuredGroup, MeasuredGroup>, MeasuredOverlap, EarlierPair> overlaps;
  const auto widen = [](double(&range)[2], double value, bool is_new) {
    range[0] = is_new ? value : std::min(range[0], value);
    range[1] = is_new ? value : std::max(range[1], value);
  };
  for (const RunRecords& run : runs)
    for (const OverlapRecord& record : run.overlaps) {
      const CollectiveRecord& collective = run.collectives[record.collective];
      const KernelRecord& kernel = run.kernels[record.kernel];
      const auto first = slowed(collective.times, record.collective_times);
      const auto second = slowed(kernel.times, record.kernel_times);
      if (!first || !second) continue;
      const MeasuredGroup of = group_of(collective);
      const auto [found, is_new] = overlaps.try_emplace({of, group_of(kernel)});
      MeasuredOverlap& overlap = found->second;
      if (is_new) {
        overlap.collective = of;
        overlap.kernel = group_of(kernel);
      } else {
        overlap.collective.from = std::min(overlap.collective.from, of.from);
        overlap.collective.to = std::max(overlap.collective.to, of.to);
        ++overlap.collective.rows;
      }
      widen(overlap.collective_slowed, *first, is_new);
      widen(overlap.kernel_slowed, *second, is_new);
    }
  std::vector<MeasuredOverlap> all;
  for (auto& [key, overlap] : overlaps) all.push_back(std::move(overlap));
  return all;
}

bool ended_before_start(const Run& run) {
  // Both are UTC in one format, so that they sort as text.
  return !run.started.empty() && !run.ended.empty() && run.ended < run.started;
}

}  // namespace calibrate::store
