#include "sim/trace/collector.hpp"
#include "sim/trace/table.hpp"

/// SenseTime's Helios trace of 2020, cluster_log.csv (github.com/S-Lab-System-Group/HeliosData): a
/// row a Slurm job, dates without a zone.
namespace sim::trace {

namespace {

Record record(const Cells& cells, Collector& /*collector*/) {
  Record made;
  made.name = cells.text("job_id");
  made.arrival = cells.time("submit_time");
  made.start = cells.time("start_time");
  made.end = cells.time("end_time");
  made.duration = cells.number("duration");
  made.gpus = cells.number("gpu_num").value_or(0);
  made.where = cells.where();
  return made;
}

}  // namespace

base::Result<Trace> read_helios(std::span<const base::Csv> tables) {
  return read_rows(tables.front(),
                   {"job_id", "gpu_num", "submit_time", "start_time", "end_time", "duration"},
                   record);
}

}  // namespace sim::trace
