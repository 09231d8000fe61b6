#include "sim/trace/trace.hpp"

#include <array>

#include "sim/trace/table.hpp"

namespace sim::trace {

std::span<const Format> formats() {
  static constexpr std::array<Format, 4> all{{
      {"openb", "Alibaba GPU trace 2023: openb_pod_list_*.csv", 1, read_openb},
      {"alibaba-spot", "Alibaba spot GPU trace 2026: job_info_df.csv", 1, read_spot},
      {"helios", "SenseTime Helios 2020: cluster_log.csv", 1, read_helios},
      {"lingjun", "Alibaba Lingjun 2023: job.csv and worker.csv", 2, read_lingjun},
  }};
  return all;
}

}  // namespace sim::trace
