#include "calibrate/store/calibration_json.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/map_reader.hpp"
#include "calibrate/store/kernel_shape.hpp"

namespace calibrate::store {

namespace {

using base::MapReader;

constexpr std::string_view schema = "foreshard.calibration.v1";

constexpr base::Range<double> not_negative{0, std::numeric_limits<double>::max()};
constexpr base::Range<double> finite{};
constexpr base::Range<int> count_range{0, std::numeric_limits<int>::max()};
constexpr base::Range<std::int64_t> amount_range{0, std::numeric_limits<std::int64_t>::max()};

void read_bytes(MapReader& from, std::string_view key, base::Bytes& out) {
  std::int64_t count = 0;
  if (from.require(key, count, amount_range)) out = base::Bytes::from_count(count);
}

void read_run(MapReader from, Run& run) {
  from.require("id", run.id);
  if (run.id.empty()) from.error("id", "a run needs an id");
  from.require("tool", run.tool);
  from.require("version", run.version);
  from.require("command", run.command);
  from.require("source", run.source);
  from.require("started", run.started);
  from.require("ended", run.ended);
  from.require_choice("state", run.state, run_state_names);
  if (auto machine = from.required_map("machine")) {
    machine->require("host", run.machine.host);
    machine->require("cpu", run.machine.cpu);
    machine->require("cores", run.machine.cores, count_range);
    read_bytes(*machine, "memory_bytes", run.machine.memory);
    machine->require("system", run.machine.system);
    machine->finish();
  }
  for (MapReader& device : from.maps("devices")) {
    Device& one = run.devices.emplace_back();
    device.require("name", one.name);
    device.require("identity", one.identity);
    read_bytes(device, "memory_bytes", one.memory);
    device.finish();
  }
  for (MapReader& software : from.maps("software")) {
    Software& one = run.software.emplace_back();
    software.require("name", one.name);
    software.require("version", one.version);
    software.finish();
  }
  from.require("note", run.note);
  from.finish();
}

void read_times(MapReader& row, Times& times, std::string_view key = "times") {
  auto from = row.required_map(key);
  if (!from) return;
  from->require("mean_s", times.mean, not_negative);
  from->require("min_s", times.min, not_negative);
  from->require("max_s", times.max, not_negative);
  from->require("p50_s", times.p50, not_negative);
  from->require("p95_s", times.p95, not_negative);
  from->require("p99_s", times.p99, not_negative);
  from->require("deviation_s", times.deviation, not_negative);
  from->require("iterations", times.iterations, count_range);
  from->require("warm_up", times.warm_up, count_range);
  from->require("dropped", times.dropped, count_range);
  from->require("samples_s", times.samples);
  for (const double sample : times.samples)
    if (!(sample >= 0)) {
      from->error("samples_s", "a time below 0");
      break;
    }
  from->finish();
}

void read_placement(MapReader& row, Placement& place) {
  auto from = row.required_map("placement");
  if (!from) return;
  from->require("ranks", place.ranks, count_range);
  from->require("nodes", place.nodes, count_range);
  from->require("ranks_per_node", place.ranks_per_node);
  from->require("ranks_per_device", place.ranks_per_device);
  from->require("stride", place.stride);
  from->require("groups", place.groups);
  from->finish();
}

CollectiveRecord read_collective(MapReader& from) {
  CollectiveRecord record;
  from.require_choice("operation", record.op, base::collective_names);
  from.require("library", record.library);
  from.require("library_version", record.library_version);
  from.require("device", record.device);
  from.require("algorithm", record.algorithm);
  from.require("protocol", record.protocol);
  from.require("dtype", record.dtype);
  from.require("reduction", record.reduction);
  from.require("root", record.root);
  read_placement(from, record.placement);
  read_bytes(from, "size_bytes", record.bytes);
  from.require("count", record.count, amount_range);
  from.require("in_place", record.in_place);
  std::int64_t wrong = 0;
  if (from.read("wrong", wrong)) record.wrong = wrong;
  double estimate = 0;
  if (from.read("own_estimate_s", estimate, not_negative)) record.own_estimate = estimate;
  from.require("transport", record.transport);
  from.require_choice("convention", record.convention, size_convention_names);
  from.require("line", record.line);
  read_times(from, record.times);
  from.finish();
  return record;
}

KernelRecord read_kernel(MapReader& from) {
  KernelRecord record;
  if (from.require("kind", record.kind) &&
      std::find(kernel_kinds.begin(), kernel_kinds.end(), record.kind) == kernel_kinds.end())
    from.error("kind", "no kind of kernel", base::suggest(record.kind, kernel_kinds));
  std::string shape;
  if (from.require("shape", shape)) {
    const auto kernel = kernel_of_shape(shape);
    if (kernel)
      record.kernel = *kernel;
    else
      from.error("shape", "no shape of a kernel",
                 "of the form \"gemm m=4096 n=1024 k=1024 batch=1 dtype=bf16 output=bf16 adds=0\"");
  }
  from.require("rows", record.rows, amount_range);
  from.require("columns", record.columns, amount_range);
  from.require_choice("dtype", record.dtype, base::dtype_names);
  from.require("library", record.library);
  from.require("library_version", record.library_version);
  from.require("device", record.device);
  from.require("variant", record.variant);
  from.require("concurrent", record.concurrent, count_range);
  from.require("clock_mhz", record.clock_mhz, finite);
  from.require("power_w", record.power_w, finite);
  from.require("temperature_c", record.temperature_c, finite);
  from.require("line", record.line);
  read_times(from, record.times);
  from.finish();
  return record;
}

void read_row_number(MapReader& from, std::string_view key, std::size_t rows, std::size_t& out) {
  std::int64_t number = 0;
  if (!from.require(key, number, amount_range)) return;
  out = static_cast<std::size_t>(number);
  if (out >= rows) from.error(key, "no row of that number in this run", "counted from 0");
}

OverlapRecord read_overlap(MapReader& from, const RunRecords& of) {
  OverlapRecord record;
  read_row_number(from, "collective", of.collectives.size(), record.collective);
  read_row_number(from, "kernel", of.kernels.size(), record.kernel);
  read_times(from, record.collective_times, "collective_times");
  read_times(from, record.kernel_times, "kernel_times");
  from.finish();
  return record;
}

RunRecords read_records(MapReader& from) {
  RunRecords records;
  if (auto run = from.required_map("run")) read_run(*run, records.run);
  for (MapReader& row : from.maps("collectives"))
    records.collectives.push_back(read_collective(row));
  for (MapReader& row : from.maps("kernels")) records.kernels.push_back(read_kernel(row));
  for (MapReader& row : from.maps("overlaps"))
    records.overlaps.push_back(read_overlap(row, records));
  from.finish();
  return records;
}

}  // namespace

base::Result<std::vector<RunRecords>> read_calibration_json(std::string_view text,
                                                            const std::string& file) {
  const base::Result<base::Document> document = base::parse_json(text, file);
  if (!document) return tl::unexpected(document.error());
  base::Diagnostics problems;
  MapReader root(*document, document->root, "", problems);
  std::string written;
  if (root.require("schema", written) && written != schema)
    root.error("schema", "is not \"" + std::string(schema) + "\"");
  if (!problems.empty()) return tl::unexpected(problems);
  std::vector<RunRecords> runs;
  std::set<std::string> ids;
  for (MapReader& from : root.maps("runs")) {
    runs.push_back(read_records(from));
    if (!ids.insert(runs.back().run.id).second)
      from.error("run", "another run of this file has the same id");
  }
  root.find("fits");
  root.finish();
  if (!problems.empty()) return tl::unexpected(problems);
  return runs;
}

bool is_calibration_json(std::string_view text) {
  return text.substr(0, 200).find("\"foreshard.calibration.v1\"") != std::string_view::npos;
}

}  // namespace calibrate::store
