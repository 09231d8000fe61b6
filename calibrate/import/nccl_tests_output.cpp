#include "calibrate/import/nccl_tests_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "base/check.hpp"
#include "base/quoted.hpp"

namespace calibrate {

namespace {

using base::quoted;

constexpr double us = 1e6;  // in a second

bool is_nccl_tests(const SweepHeader& header) {
  return header.tool == "nccl-tests" && header.library == "NCCL" &&
         version_of_code(code_of_version(header.library_version)) == header.library_version;
}

std::string_view or_dash(std::string_view text) { return text.empty() ? "-" : text; }

bool is_forced(const SweepHeader& header) {
  return !header.algorithm.empty() || !header.protocol.empty();
}

/// A number in few characters: two decimals, fewer, or an exponent when it is too wide.
std::string narrow(double value, int width) {
  for (const int decimals : {2, 1, 0})
    if (std::string text = fmt::format("{:.{}f}", value, decimals);
        text.size() <= static_cast<std::size_t>(width))
      return fmt::format("{:>{}}", text, width);
  return fmt::format("{:>{}}", fmt::format("{:.{}e}", value, width >= 7 ? 1 : 0), width);
}

double gigabytes(double bytes_per_second) { return bytes_per_second / 1e9; }

std::string side_text(const CollectiveRecord& record, const SweepOptions& options) {
  std::string text = fmt::format("  {}  {}  {}", narrow(record.times.mean * us, 7),
                                 narrow(gigabytes(record.algorithm_bandwidth()), 6),
                                 narrow(gigabytes(record.bus_bandwidth()), 6));
  text += record.wrong ? fmt::format("  {:6g}", static_cast<double>(*record.wrong)) : "    N/A";
  if (options.per_iteration) {
    const Times& times = record.times;
    const double variation = times.mean > 0 ? times.deviation / times.mean * 100 : 0;
    text += fmt::format("  {}  {}  {}  {}", narrow(times.min * us, 7), narrow(times.max * us, 7),
                        narrow(times.p99 * us, 7), narrow(variation, 7));
  }
  return text;
}

const CollectiveRecord& side_of(const SweepRow& row) {
  CHECK_INVARIANT(row.out_of_place || row.in_place);
  return row.out_of_place ? *row.out_of_place : *row.in_place;
}

std::string parameters(const SweepOptions& options) {
  const bool by_factor = options.step_factor > 1;
  return fmt::format(
      "# nThread 1 nGpus 1 minBytes {} maxBytes {} step: {}({}) warmup iters: {} iters: {} agg "
      "iters: {} validation: {} graph: 0 unalign: 0\n",
      options.bytes_min, options.bytes_max, by_factor ? options.step_factor : options.step_bytes,
      by_factor ? "factor" : "bytes", options.warm_up, options.iterations, options.aggregated,
      options.checks);
}

/// The three lines of the column header.
std::string columns(const SweepOptions& options) {
  const std::string keys = fmt::format("# {:>10}  {:>12}  {:>8}  {:>6}  {:>6}", "", "", "", "", "");
  const std::string names = fmt::format("# {:>10}  {:>12}  {:>8}  {:>6}  {:>6}", "size", "count",
                                        "type", "redop", "root");
  const std::string units =
      fmt::format("# {:>10}  {:>12}  {:>8}  {:>6}  {:>6}", "(B)", "(elements)", "", "", "");
  std::string side =
      fmt::format("  {:>7}  {:>6}  {:>6}  {:>6}", options.issue_time ? "cputime" : "time", "algbw",
                  "busbw", "#wrong");
  std::string side_units =
      fmt::format("  {:>7}  {:>6}  {:>6}  {:>6}", "(us)", "(GB/s)", "(GB/s)", "");
  std::string_view title = "           out-of-place                       in-place          ";
  if (options.per_iteration) {
    side += fmt::format("  {:>7}  {:>7}  {:>7}  {:>7}", "i_min", "i_max", "i_p99", "i_cv%");
    side_units += fmt::format("  {:>7}  {:>7}  {:>7}  {:>7}", "(us)", "(us)", "(us)", "(%)");
    title =
        "              out-of-place (+ per-iteration)                                in-place (+ "
        "per-iteration)";
  }
  const int pad = options.time_stamps ? 19 : 0;
  return fmt::format("{}{}\n{}{}{} {:>{}}\n{}{}{} {:>{}}\n", keys, title, names, side, side,
                     options.time_stamps ? "timestamp" : "", pad, units, side_units, side_units,
                     options.time_stamps ? "%Y-%m-%d %H:%M:%S" : "", pad);
}

struct Summary {
  int wrong = 0;   ///< sides with wrong elements
  double bus = 0;  ///< GB/s, mean of all sides
};

Summary summary_of(const std::vector<SweepRow>& rows) {
  Summary summary;
  int sides = 0;
  for (const SweepRow& row : rows)
    for (const auto* side : {&row.out_of_place, &row.in_place}) {
      if (!*side) continue;
      ++sides;
      summary.bus += gigabytes((*side)->bus_bandwidth());
      summary.wrong += (*side)->wrong.value_or(0) > 0 ? 1 : 0;
    }
  if (sides > 0) summary.bus /= sides;
  return summary;
}

// --- JSON ------------------------------------------------------------------------------------

std::string_view truth(bool value) { return value ? "\"true\"" : "\"false\""; }

std::string config_json(const SweepHeader& header) {
  const SweepOptions& options = header.options;
  std::string devices;
  for (const RankLine& rank : header.ranks)
    devices += fmt::format(
        R"({}{{"rank":{},"group":{},"pid":{},"hostname":{},"device":{},"device_hex":{},)"
        R"("device_info":{}}})",
        devices.empty() ? "" : ",", rank.rank, rank.group, rank.pid, quoted(rank.host), rank.index,
        quoted(rank.identity), quoted(rank.device));
  const std::string step = options.step_factor > 1
                               ? fmt::format(R"("step_factor":{})", options.step_factor)
                               : fmt::format(R"("step_bytes":{})", options.step_bytes);
  return fmt::format(
      R"({{"nthreads":1,"ngpus":1,"minimum_bytes":{},"maximum_bytes":{},{},"warmup_iters":{},)"
      R"("iterations":{},"aggregated_iterations":{},"validation":{},"graph":0,)"
      R"("blocking_collectives":"false","per_iter_timing":{},"per_iter_skip":{},)"
      R"("parallel_init":"false",{}"devices":[{}]}})",
      options.bytes_min, options.bytes_max, step, options.warm_up, options.iterations,
      options.aggregated, options.checks, truth(options.per_iteration), options.skipped,
      is_forced(header) ? fmt::format(R"("algorithm":{},"protocol":{},)", quoted(header.algorithm),
                                      quoted(header.protocol))
                        : "",
      devices);
}

std::string side_json(const std::optional<CollectiveRecord>& side, const SweepOptions& options) {
  if (!side) return "null";
  return fmt::format(R"({{"{}":{:f},"alg_bw":{:f},"bus_bw":{:f},"nwrong":{}}})",
                     options.issue_time ? "cpu_time" : "time", side->times.mean * us,
                     gigabytes(side->algorithm_bandwidth()), gigabytes(side->bus_bandwidth()),
                     side->wrong ? fmt::format("{:f}", static_cast<double>(*side->wrong)) : "null");
}

std::string iterations_json(std::string_view key, const std::optional<CollectiveRecord>& side,
                            const SweepOptions& options) {
  if (!side || !options.per_iteration) return "";
  const Times& times = side->times;
  std::string samples;
  for (const double sample : times.samples)
    samples += fmt::format("{}{:f}", samples.empty() ? "" : ",", sample * us);
  return fmt::format(
      R"(,"{}":{{"skipped_iterations":{},"min_us":{:f},"max_us":{:f},"avg_us":{:f},"p50_us":{:f},)"
      R"("p95_us":{:f},"p99_us":{:f},"stdev_us":{:f},"cv_pct":{:f},"times_us":[{}]}})",
      key, options.skipped, times.min * us, times.max * us, times.mean * us, times.p50 * us,
      times.p95 * us, times.p99 * us, times.deviation * us,
      times.mean > 0 ? times.deviation / times.mean * 100 : 0, samples);
}

std::string row_json(const SweepHeader& header, const SweepRow& row) {
  const CollectiveRecord& record = side_of(row);
  const SweepOptions& options = header.options;
  return fmt::format(
      R"({{"size":{},"count":{},"type":{},"redop":{},"root":"{:>6}","out_of_place":{}{},)"
      R"("in_place":{}{},"actual_iterations":{},"experiment_name":{}}})",
      record.bytes.count(), record.count, quoted(record.dtype), quoted(record.reduction),
      record.root, side_json(row.out_of_place, options),
      iterations_json("out_of_place_per_iter", row.out_of_place, options),
      side_json(row.in_place, options), iterations_json("in_place_per_iter", row.in_place, options),
      record.times.iterations, quoted(nccl_tests_program(record.op)));
}

// --- a run as sweeps ---------------------------------------------------------------------------

/// What all rows of a sweep have in common.
auto sweep_key(const CollectiveRecord& record) {
  return std::tie(record.op, record.library, record.library_version, record.device,
                  record.placement, record.times.warm_up, record.algorithm, record.protocol);
}

/// What both sides of a row have in common.
auto row_key(const CollectiveRecord& record) {
  return std::tie(record.bytes, record.count, record.dtype, record.reduction, record.root);
}

std::vector<RankLine> ranks_of(const CollectiveRecord& record, const Run& run) {
  const Placement& place = record.placement;
  const bool listed = run.devices.size() == static_cast<std::size_t>(place.ranks * place.groups);
  std::vector<RankLine> ranks;
  for (int i = 0; i < place.ranks * place.groups; ++i) {
    // Strided groups lie between each other, others one after the other.
    const bool strided = place.stride > 1 && place.groups > 1;
    const int member = strided ? i / place.stride : i % place.ranks;
    const int node = member / std::max(1, place.ranks_per_node);
    RankLine rank;
    rank.rank = place.groups > 1 ? i : i * place.stride;
    rank.group = strided ? i % place.stride : i / place.ranks;
    rank.host =
        node == 0 && !run.machine.host.empty() ? run.machine.host : fmt::format("node{}", node);
    rank.index = member % std::max(1, place.ranks_per_node) / std::max(1, place.ranks_per_device);
    rank.identity = listed ? run.devices[static_cast<std::size_t>(i)].identity
                           : fmt::format("0000:{:02x}:00", rank.index);
    rank.device = record.device;
    ranks.push_back(std::move(rank));
  }
  return ranks;
}

SweepHeader header_of(const CollectiveRecord& record, const Run& run) {
  SweepHeader header;
  header.tool = run.tool;
  header.tool_version = run.version;
  header.library = record.library;
  header.library_version = record.library_version;
  header.algorithm = record.algorithm;
  header.protocol = record.protocol;
  header.op = record.op;
  header.ranks = ranks_of(record, run);
  header.options.iterations = record.times.iterations;
  header.options.warm_up = record.times.warm_up;
  header.options.bytes_min = header.options.bytes_max = record.bytes.count();
  header.options.checks = record.wrong ? 1 : 0;
  return header;
}

bool has_spread(const CollectiveRecord& record) {
  return record.times.min > 0 || record.times.max > 0 || record.times.p99 > 0;
}

}  // namespace

std::string nccl_tests_program(base::Collective op) {
  switch (op) {
    case base::Collective::all_to_all: return "alltoall_perf";
    case base::Collective::send_receive: return "sendrecv_perf";
    default: return std::string(base::name_of(op)) + "_perf";
  }
}

std::string nccl_tests_header(const SweepHeader& header) {
  std::string text;
  if (is_nccl_tests(header)) {
    const std::int64_t code = code_of_version(header.library_version);
    text = fmt::format("# nccl-tests version {} nccl-headers={} nccl-library={}\n",
                       or_dash(header.tool_version), code, code);
  } else {
    text =
        fmt::format("# {} version {} library={} {}\n", or_dash(header.tool),
                    or_dash(header.tool_version), or_dash(header.library_version), header.library);
  }
  text += fmt::format("# Collective test starting: {}\n", nccl_tests_program(header.op));
  text += parameters(header.options);
  if (is_forced(header))
    text += fmt::format("# Forced algorithm {} protocol {}\n", or_dash(header.algorithm),
                        or_dash(header.protocol));
  if (header.options.per_iteration) {
    text += "# Per-Iteration Report: i_* uses max over process rows";
    if (header.options.skipped > 0)
      text += fmt::format("; summary skips first {} iterations", header.options.skipped);
    text += " \n";
  }
  text += "#\n# Using devices\n";
  for (const RankLine& rank : header.ranks)
    text +=
        fmt::format("#  Rank {:2} Group {:2} Pid {:6} on {:>10} device {:2} [{}] {}\n", rank.rank,
                    rank.group, rank.pid, rank.host, rank.index, rank.identity, rank.device);
  return text + "#\n" + columns(header.options);
}

std::string nccl_tests_row(const SweepHeader& header, const SweepRow& row) {
  const CollectiveRecord& record = side_of(row);
  std::string text = fmt::format("{:>12}  {:>12}  {:>8}  {:>6}  {:>6}", record.bytes.count(),
                                 record.count, record.dtype, record.reduction, record.root);
  if (row.out_of_place)
    text += side_text(*row.out_of_place, header.options);
  else
    text += std::string(32, ' ');
  if (row.in_place) text += side_text(*row.in_place, header.options);
  if (header.options.time_stamps) text += fmt::format("{:>21}", row.time_stamp);
  return text + "\n";
}

std::string nccl_tests_footer(const SweepHeader& header, const std::vector<SweepRow>& rows) {
  const Summary summary = summary_of(rows);
  return fmt::format("# {:<20} : {} {}\n# {:<20} : {:g} \n#\n# Collective test concluded: {}\n",
                     "Out of bounds values", summary.wrong, summary.wrong > 0 ? "FAILED" : "OK",
                     "Avg bus bandwidth", summary.bus, nccl_tests_program(header.op));
}

std::string nccl_tests_json(const SweepHeader& header, const std::vector<SweepRow>& rows,
                            std::string_view started, std::string_view ended) {
  std::string results;
  for (const SweepRow& row : rows) {
    if (!results.empty()) results += ',';
    results += row_json(header, row);
  }
  const Summary summary = summary_of(rows);
  const std::string own =
      is_nccl_tests(header)
          ? ""
          : fmt::format(R"("tool":{},"tool_version":{},"library":{},"library_version":{},)",
                        quoted(header.tool), quoted(header.tool_version), quoted(header.library),
                        quoted(header.library_version));
  return fmt::format(
      R"({{"version":3,"start_time":{},"args":[{}],"env":[],"nccl_version":{},{}"config":{},)"
      R"("results":[{}],"out_of_bounds":{{"count":{},"okay":{}}},)"
      R"("average_bus_bandwidth":{{"bandwidth":{:f},"okay":"unchecked"}},"errors":[],)"
      R"("end_time":{}}})",
      quoted(started), quoted(nccl_tests_program(header.op)),
      header.library == "NCCL" ? code_of_version(header.library_version) : 0, own,
      config_json(header), results, summary.wrong, truth(summary.wrong == 0), summary.bus,
      quoted(ended));
}

std::vector<SweepOutput> sweeps_of(const RunRecords& records) {
  std::vector<SweepOutput> sweeps;
  const CollectiveRecord* before = nullptr;
  for (const CollectiveRecord& record : records.collectives) {
    if (before == nullptr || sweep_key(*before) != sweep_key(record))
      sweeps.push_back({header_of(record, records.run), {}});
    SweepOutput& sweep = sweeps.back();
    SweepOptions& options = sweep.header.options;
    options.bytes_min = std::min(options.bytes_min, record.bytes.count());
    options.bytes_max = std::max(options.bytes_max, record.bytes.count());
    options.per_iteration = options.per_iteration || has_spread(record);
    const bool joins = record.in_place && !sweep.rows.empty() && before != nullptr &&
                       !sweep.rows.back().in_place && row_key(*before) == row_key(record);
    if (!joins) sweep.rows.emplace_back();
    SweepRow& row = sweep.rows.back();
    (record.in_place ? row.in_place : row.out_of_place) = record;
    before = &record;
  }
  return sweeps;
}

std::string nccl_tests_text(const RunRecords& records) {
  std::string text;
  for (const SweepOutput& sweep : sweeps_of(records)) {
    text += nccl_tests_header(sweep.header);
    for (const SweepRow& row : sweep.rows) text += nccl_tests_row(sweep.header, row);
    text += nccl_tests_footer(sweep.header, sweep.rows);
  }
  return text;
}

std::string nccl_tests_json(const RunRecords& records) {
  std::string text;
  for (const SweepOutput& sweep : sweeps_of(records))
    text += nccl_tests_json(sweep.header, sweep.rows, "", "") + "\n";
  return text;
}

}  // namespace calibrate
