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

bool ended_before_start(const Run& run) {
  // Both are UTC in one format, so that they sort as text.
  return !run.started.empty() && !run.ended.empty() && run.ended < run.started;
}

}  // namespace calibrate::store
