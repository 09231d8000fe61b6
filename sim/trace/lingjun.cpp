#include <fmt/format.h>

#include <charconv>
#include <unordered_map>

#include "base/document.hpp"
#include "sim/trace/collector.hpp"
#include "sim/trace/table.hpp"

/// Alibaba's Lingjun trace of 2023 (github.com/alibaba/alibaba-lingjun-dataset-2023, of the Crux
/// paper): job.csv with times, worker.csv with what each worker of a job has. The columns are those
/// that published readers of it use.
namespace sim::trace {

namespace {

/// GPUs in a worker's resources, {"cpu": "16", "nvidia.com/gpu": "8"}; a JSON object.
std::optional<double> gpus_of(std::string_view resources, const base::SourceRef& where,
                              base::Diagnostics& problems) {
  if (is_gap(resources)) return 0;
  const auto json = base::parse_json(resources, where.file);
  if (!json || json->root.kind != base::Node::Kind::map) {
    problems.push_back({where, "'RES' is no JSON object of resources", ""});
    return std::nullopt;
  }
  for (const base::Node::Entry& entry : json->root.entries) {
    if (!entry.key.ends_with("/gpu")) continue;
    const std::string& text = entry.value.text;
    double value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1e6)
      return value;
    problems.push_back(
        {where, fmt::format("'{}' is no number of GPUs: '{}'", entry.key, text), ""});
    return std::nullopt;
  }
  return 0;
}

}  // namespace

base::Result<Trace> read_lingjun(std::span<const base::Csv> tables) {
  const base::Csv& jobs = tables[0];
  const base::Csv& workers = tables[1];
  base::Diagnostics problems = base::missing_columns(
      jobs, {"job_name", "gmt_job_submitted", "gmt_job_running", "gmt_job_finished"});
  const base::Diagnostics more = base::missing_columns(workers, {"job_name", "RES"});
  problems.insert(problems.end(), more.begin(), more.end());
  if (!problems.empty()) return tl::unexpected(std::move(problems));

  Collector collector;
  std::unordered_map<std::string_view, double> gpus;
  for (const base::Csv::Row& row : workers.rows) {
    const Cells cells(workers, row, problems);
    if (const auto found = gpus_of(cells.text("RES"), cells.where(), problems))
      gpus[cells.text("job_name")] += *found;
  }
  for (const base::Csv::Row& row : jobs.rows) {
    const Cells cells(jobs, row, problems);
    Record made;
    made.name = cells.text("job_name");
    made.arrival = cells.time("gmt_job_submitted");
    made.start = cells.time("gmt_job_running");
    made.end = cells.time("gmt_job_finished");
    if (!made.end) made.end = cells.time("gmt_job_stopped");
    made.where = cells.where();
    const auto found = gpus.find(made.name);
    if (found == gpus.end()) {
      collector.note("jobs have no worker in the second file, and are left out", made.where);
      continue;
    }
    made.gpus = found->second;
    collector.add(std::move(made));
  }
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  return collector.finish();
}

}  // namespace sim::trace
