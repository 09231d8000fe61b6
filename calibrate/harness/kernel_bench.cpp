#include "calibrate/harness/kernel_bench.hpp"

#include <algorithm>

#include "calibrate/runtime/traffic.hpp"

namespace calibrate::harness {

KernelBench::KernelBench(const Device& device, const World* world, const StopRule& rule)
    : device_(device),
      world_(world),
      rule_(rule),
      sampling_(device, world),
      device_name_(device.description().name),
      software_(device.software()) {}

base::Result<KernelRecord> KernelBench::measure(const KernelTask& task,
                                                const std::string& variant) const {
  const base::Result<Device::Work> work = device_.prepare(task, variant);
  if (!work) return tl::unexpected(work.error());
  return measure_work(task, *work);
}

KernelRecord KernelBench::measure_work(const KernelTask& task, const Device::Work& work) const {
  KernelRecord record;
  record.kind = task.kind;
  record.kernel = task.kernel;
  record.rows = task.rows;
  record.columns = task.columns;
  record.dtype = task.dtype;
  record.library = work.library();
  for (const Software& one : software_)
    if (one.name == record.library) record.library_version = one.version;
  record.device = device_name_;
  record.variant = work.variant();
  record.concurrent = world_ == nullptr ? 1 : world_->ranks();
  const Samples samples = sampling_.take([&] { work.launch(sampling_.stream()); }, rule_);
  record.times = times(samples);
  const foreshard_sensors sensors = device_.sensors();
  record.clock_mhz = sensors.clock_mhz;
  record.power_w = sensors.power_w;
  record.temperature_c = sensors.temperature_c;
  return record;
}

Times KernelBench::times(const Samples& samples) {
  std::vector<double> seconds;
  for (std::size_t i = 0; i < samples.count(); ++i) {
    double sum = 0;
    for (const std::vector<double>& of_rank : samples.of_rank) sum += of_rank[i];
    seconds.push_back(sum / static_cast<double>(samples.of_rank.size()));
  }
  Times times = seconds.empty() ? Times{} : times_of(std::move(seconds));
  times.warm_up = samples.warm_up;
  times.dropped = samples.dropped;
  return times;
}

namespace {

void add_products(base::DType dtype, bool small, std::vector<KernelTask>& grid) {
  const std::vector<std::int64_t> sides =
      small ? std::vector<std::int64_t>{64, 128, 256, 512}
            : std::vector<std::int64_t>{128, 256, 512, 1024, 2048, 4096, 8192};
  const base::DType output = dtype == base::DType::fp8    ? base::DType::bf16
                             : dtype == base::DType::tf32 ? base::DType::fp32
                                                          : dtype;
  for (const std::int64_t m : sides)
    for (const std::int64_t n : sides)
      for (const std::int64_t k : sides) {
        const auto [least, most] = std::minmax({m, n, k});
        if (most > 16 * least) continue;
        grid.push_back(task_of(base::Gemm{m, n, k, 1, dtype, output}));
      }
  if (!small)
    for (const std::int64_t batch : {4, 8, 16, 64})
      grid.push_back(task_of(base::Gemm{1024, 2048, 1024, batch, dtype, output}));
}

void add_attention(base::DType dtype, bool small, std::vector<KernelTask>& grid) {
  for (const std::int64_t length : small ? std::vector<std::int64_t>{64, 128, 256}
                                         : std::vector<std::int64_t>{1024, 2048, 4096, 8192, 16384})
    for (const std::int64_t heads :
         small ? std::vector<std::int64_t>{2, 4} : std::vector<std::int64_t>{8, 32})
      for (const std::int64_t width : {64, 128})
        for (const bool backward : {false, true})
          grid.push_back(task_of(base::Attention{.batch = 1,
                                                 .seq_q = length,
                                                 .seq_kv = length,
                                                 .q_heads = heads,
                                                 .kv_heads = heads,
                                                 .head_dim = width,
                                                 .value_dim = width,
                                                 .backward = backward,
                                                 .dtype = dtype}));
}

void add_memory_bound(base::DType dtype, bool small, std::vector<KernelTask>& grid) {
  constexpr std::int64_t columns = 1024;
  for (const std::string_view kind : kernel_kinds) {
    const double traffic = runtime::traffic_per_element(kind, dtype);
    const bool empty = kind == "launch" || kind == "graph_launch";
    if (!empty && traffic == 0) continue;
    for (const std::int64_t mib :
         small ? std::vector<std::int64_t>{1, 8} : std::vector<std::int64_t>{1, 4, 16, 64, 256}) {
      const auto rows =
          empty ? 1
                : std::max<std::int64_t>(
                      1, static_cast<std::int64_t>(static_cast<double>(mib << 20U) / traffic) /
                             columns);
      const auto bytes = base::Bytes::from_double(traffic * static_cast<double>(rows * columns));
      grid.push_back({std::string(kind), base::MemoryBound{bytes, 1}, rows, columns, dtype});
      if (empty) break;
    }
  }
}

}  // namespace

std::vector<KernelTask> standard_grid(base::DType dtype, bool small) {
  std::vector<KernelTask> grid;
  add_products(dtype, small, grid);
  if (dtype != base::DType::fp8 && dtype != base::DType::tf32) add_attention(dtype, small, grid);
  if (dtype != base::DType::fp8 && dtype != base::DType::tf32) add_memory_bound(dtype, small, grid);
  return grid;
}

}  // namespace calibrate::harness
