#include "sim/trace/collector.hpp"
#include "sim/trace/table.hpp"

/// Alibaba's spot GPU trace of 2026, job_info_df.csv: a row a job, times in seconds, GPUs by
/// worker.
namespace sim::trace {

namespace {

Record record(const Cells& cells, Collector& collector) {
  Record made;
  made.name = cells.text("job_name");
  made.arrival = cells.time("submit_time");
  made.duration = cells.number("duration");
  made.gpus = cells.number("gpu_request").value_or(0) * cells.number("worker_num").value_or(1);
  made.where = cells.where();
  if (cells.text("job_type") == "Spot")
    collector.note("spot jobs run to their end: nobody takes their GPUs", made.where);
  return made;
}

}  // namespace

base::Result<Trace> read_spot(std::span<const base::Csv> tables) {
  return read_rows(tables.front(),
                   {"job_name", "gpu_request", "worker_num", "submit_time", "duration", "job_type"},
                   record);
}

}  // namespace sim::trace
