#include "sim/trace/collector.hpp"
#include "sim/trace/table.hpp"

/// Alibaba's GPU trace of 2023, openb_pod_list_*.csv (github.com/alibaba/clusterdata,
/// cluster-trace-gpu-v2023): a row a pod, times in seconds.
namespace sim::trace {

namespace {

Record record(const Cells& cells, Collector& collector) {
  Record made;
  made.name = cells.text("name");
  made.arrival = cells.time("creation_time");
  made.start = cells.time("scheduled_time");
  made.end = cells.time("deletion_time");
  made.gpus = cells.number("num_gpu").value_or(0);
  made.where = cells.where();
  const double milli = cells.number("gpu_milli").value_or(1000);
  if (made.gpus == 1 && milli > 0 && milli < 1000) made.gpus = milli / 1000;
  if (made.gpus > 0 && !is_gap(cells.text("gpu_spec")))
    collector.note("jobs ask for certain GPU models, which is not looked at", made.where);
  return made;
}

}  // namespace

base::Result<Trace> read_openb(std::span<const base::Csv> tables) {
  return read_rows(tables.front(),
                   {"name", "num_gpu", "gpu_milli", "gpu_spec", "creation_time", "deletion_time",
                    "scheduled_time"},
                   record);
}

}  // namespace sim::trace
