#include "viz/calibration_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

#include "base/name_table.hpp"
#include "calibrate/store/summary.hpp"
#include "viz/table.hpp"
#include "viz/terminal.hpp"

namespace viz {

namespace {

using calibrate::Run;
using calibrate::RunRecords;
using calibrate::store::MeasuredGroup;
using Rows = std::vector<std::vector<std::string>>;

/// A number with at most four digits and the prefix of its thousands.
std::string scaled(double value, double step, const std::array<std::string_view, 6>& units) {
  std::size_t unit = 0;
  for (; value >= step && unit + 1 < units.size(); ++unit) value /= step;
  return fmt::format("{:.4g} {}", value, units[unit]);
}

std::string flop_text(double flop) {
  return scaled(flop, 1000, {"Flop", "kFlop", "MFlop", "GFlop", "TFlop", "PFlop"});
}

std::string section(std::string_view heading, const std::vector<Column>& columns,
                    const Rows& rows) {
  if (rows.empty()) return {};
  return fmt::format("\n{}\n{}", heading, table(columns, rows));
}

std::string or_unknown(const std::string& text) { return text.empty() ? "unknown" : text; }

std::string memory_text(base::Bytes memory) {
  return memory.count() > 0 ? bytes_text(memory.as_double()) : "";
}

std::string machines(const std::vector<RunRecords>& runs) {
  Rows rows;
  for (const RunRecords& all : runs) {
    const calibrate::Machine& machine = all.run.machine;
    if (machine == calibrate::Machine{}) continue;  // imported
    std::vector<std::string> row{or_unknown(machine.host), machine.cpu,
                                 machine.cores > 0 ? std::to_string(machine.cores) : "",
                                 memory_text(machine.memory), machine.system};
    if (std::find(rows.begin(), rows.end(), row) == rows.end()) rows.push_back(std::move(row));
  }
  return section("Machines",
                 {{"host", false, 20},
                  {"CPU", false, 36},
                  {"cores", true},
                  {"memory", true},
                  {"system", false, 24}},
                 rows);
}

std::string devices(const std::vector<RunRecords>& runs) {
  std::map<std::pair<std::string, std::string>, std::size_t> most;
  for (const RunRecords& all : runs) {
    std::map<std::pair<std::string, std::string>, std::size_t> here;
    for (const calibrate::Device& device : all.run.devices)
      here[{device.name, memory_text(device.memory)}] += 1;
    for (const auto& [device, count] : here) most[device] = std::max(most[device], count);
  }
  Rows rows;
  for (const auto& [device, count] : most)
    rows.push_back({device.first, device.second, std::to_string(count)});
  return section("Devices", {{"name"}, {"memory", true}, {"in one run", true}}, rows);
}

std::string software(const std::vector<RunRecords>& runs) {
  std::map<std::string, std::set<std::string>> versions;
  for (const RunRecords& all : runs)
    for (const calibrate::Software& one : all.run.software) versions[one.name].insert(one.version);
  Rows rows;
  for (const auto& [name, known] : versions) {
    std::string list;
    for (const std::string& version : known) list += (list.empty() ? "" : ", ") + version;
    rows.push_back({name, list});
  }
  return section("Software", {{"name"}, {"versions", false, 70}}, rows);
}

std::string run_table(const std::vector<RunRecords>& runs) {
  Rows rows;
  std::string remarks;
  for (const RunRecords& all : runs) {
    const Run& run = all.run;
    const std::string id = run.id.substr(0, 8);
    rows.push_back({id, or_unknown(run.started),
                    std::string(base::name_in(calibrate::run_state_names, run.state)),
                    std::to_string(all.rows()),
                    run.tool + (run.version.empty() ? "" : " " + run.version),
                    run.source.empty() ? "measured here" : run.source});
    if (calibrate::store::ended_before_start(run))
      remarks += fmt::format("  {}: ended at {}, before it began: the clock went back\n", id,
                             printable(run.ended));
    if (!run.note.empty()) remarks += fmt::format("  {}: {}\n", id, printable(run.note));
  }
  return section("Runs",
                 {{"id"},
                  {"started"},
                  {"state"},
                  {"rows", true},
                  {"tool", false, 20},
                  {"source", false, 30}},
                 rows) +
         remarks;
}

std::string sizes_text(const MeasuredGroup& group) {
  const auto text = group.in_flop ? flop_text : bytes_text;
  return group.from == group.to ? text(group.from) : text(group.from) + " - " + text(group.to);
}

std::string ranks_text(const calibrate::Placement& place) {
  std::string text = fmt::format("{} on {}", place.ranks, place.nodes);
  if (place.ranks_per_device > 1) text += fmt::format(", {} a device", place.ranks_per_device);
  if (place.stride > 1) text += fmt::format(", stride {}", place.stride);
  if (place.groups > 1) text += fmt::format(", {} groups", place.groups);
  return text;
}

std::string some(int count) { return count > 0 ? std::to_string(count) : ""; }

std::string measured(const std::vector<MeasuredGroup>& groups) {
  Rows collectives;
  Rows kernels;
  for (const MeasuredGroup& group : groups) {
    const std::string how = group.library + (group.way.empty() ? "" : ", " + group.way);
    if (group.collective)
      collectives.push_back({group.what, how, group.device, group.dtype,
                             ranks_text(group.placement), sizes_text(group),
                             std::to_string(group.rows), some(group.dropped), some(group.wrong)});
    else
      kernels.push_back({group.what, how, group.device, group.dtype,
                         std::to_string(group.placement.ranks), sizes_text(group),
                         std::to_string(group.rows), some(group.dropped)});
  }
  return section("Collectives",
                 {{"operation"},
                  {"library", false, 24},
                  {"device", false, 16},
                  {"dtype"},
                  {"ranks on nodes", false, 20},
                  {"sizes"},
                  {"rows", true},
                  {"dropped", true},
                  {"wrong", true}},
                 collectives) +
         section("Kernels",
                 {{"kind"},
                  {"library", false, 30},
                  {"device", false, 16},
                  {"dtype"},
                  {"at once", true},
                  {"sizes"},
                  {"rows", true},
                  {"dropped", true}},
                 kernels);
}

std::string range_text(const double (&range)[2]) {
  const std::string from = fmt::format("{:.2f}", range[0]);
  const std::string to = fmt::format("{:.2f}", range[1]);
  return from == to ? from : from + " - " + to;
}

std::string overlap_table(const std::vector<calibrate::store::MeasuredOverlap>& overlaps) {
  Rows rows;
  for (const auto& overlap : overlaps) {
    const MeasuredGroup& of = overlap.collective;
    rows.push_back({of.what, of.library + (of.way.empty() ? "" : ", " + of.way), of.device,
                    ranks_text(of.placement), sizes_text(of), overlap.kernel.what,
                    std::to_string(of.rows), range_text(overlap.collective_slowed),
                    range_text(overlap.kernel_slowed)});
  }
  return section("At once, times as long as alone",
                 {{"operation"},
                  {"library", false, 24},
                  {"device", false, 16},
                  {"ranks on nodes", false, 20},
                  {"sizes"},
                  {"beside"},
                  {"rows", true},
                  {"collective", true},
                  {"kernel", true}},
                 rows);
}

std::string fit_table(const std::vector<calibrate::store::FitRow>& fits) {
  Rows rows;
  for (const calibrate::store::FitRow& fit : fits)
    rows.push_back({fit.kind, fit.key, std::to_string(fit.points),
                    fmt::format("{:.1f} %", fit.residual * 100),
                    fit.held_out ? fmt::format("{:.1f} %", *fit.held_out * 100) : "", fit.made});
  return section("Fits",
                 {{"kind"},
                  {"of", false, 40},
                  {"points", true},
                  {"spread", true},
                  {"held out", true},
                  {"made"}},
                 rows);
}

}  // namespace

std::string bytes_text(double bytes) {
  return scaled(bytes, 1024, {"B", "KiB", "MiB", "GiB", "TiB", "PiB"});
}

std::string calibration_text(const std::string& name, const std::vector<RunRecords>& runs,
                             const std::vector<calibrate::store::FitRow>& fits) {
  std::size_t rows = 0;
  for (const RunRecords& all : runs) rows += all.rows();
  return fmt::format("{}: runs {}, rows {}, fits {}\n", printable(name), runs.size(), rows,
                     fits.size()) +
         machines(runs) + devices(runs) + software(runs) + run_table(runs) +
         measured(calibrate::store::groups_of(runs)) +
         overlap_table(calibrate::store::overlaps_of(runs)) + fit_table(fits);
}

}  // namespace viz
