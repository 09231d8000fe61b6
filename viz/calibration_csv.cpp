#include "viz/calibration_csv.hpp"

#include <fmt/format.h>

#include <map>
#include <string_view>

#include "viz/csv_line.hpp"

namespace viz {

namespace {

using calibrate::CollectiveRecord;
using calibrate::KernelRecord;
using calibrate::RunRecords;

std::string source_of(const calibrate::Run& run) {
  return run.source.empty() ? "foreshard:" + run.id : run.source;
}

std::string microseconds(const calibrate::Times& times) {
  return fmt::format("{:.9g}", times.mean * 1e6);
}

/// Nothing for what took no time.
std::string rate(double amount, const calibrate::Times& times, double unit) {
  return times.mean > 0 ? fmt::format("{:.9g}", amount / times.mean / unit) : "";
}

/// Rows of one sweep differ in size, time and being in place only.
std::string sweep_of(const CollectiveRecord& record, const calibrate::Run& run,
                     std::map<std::string, int>& sweeps) {
  const calibrate::Placement& place = record.placement;
  const std::string key = fmt::format(
      "{}\n{}\n{}\n{}\n{}\n{}\n{}\n{} {} {} {} {} {} {} {}", run.id, record.library,
      record.library_version, record.device, record.algorithm, record.protocol, record.dtype,
      base::name_of(record.op), place.ranks, place.nodes, place.ranks_per_node,
      place.ranks_per_device, place.stride, place.groups, record.root);
  const int number = sweeps.emplace(key, static_cast<int>(sweeps.size()) + 1).first->second;
  return fmt::format("{}-s{}", run.id.substr(0, 8), number);
}

std::string collective_line(const CollectiveRecord& record, const calibrate::Run& run,
                            std::size_t index, std::map<std::string, int>& sweeps) {
  const bool wrong = record.wrong.value_or(0) != 0;
  std::string algorithm = record.algorithm;
  if (!record.protocol.empty()) algorithm += "/" + record.protocol;
  return csv_line(
      {fmt::format("{}-c{}", run.id.substr(0, 8), index + 1),
       source_of(run),
       sweep_of(record, run, sweeps),
       record.op == base::Collective::send_receive ? "send_recv"
                                                   : std::string(base::name_of(record.op)),
       record.library,
       record.library_version,
       record.device,
       std::to_string(record.placement.ranks),
       std::to_string(record.placement.nodes),
       std::to_string(record.placement.ranks_per_node),
       "",
       record.transport,
       record.dtype,
       std::to_string(record.bytes.count()),
       record.in_place ? "1" : "0",
       microseconds(record.times),
       rate(record.bytes.as_double(), record.times, 1e9),
       rate(record.bytes.as_double() * base::bus_factor(record.op, record.placement.ranks),
            record.times, 1e9),
       algorithm,
       wrong ? fmt::format("{} elements were wrong", *record.wrong) : "",
       wrong ? "low" : "high"});
}

/// Columns of a kernel that depend on its kind.
struct ShapeCells {
  std::string_view op = "other";
  std::string m, n, k, batch, seq_len, q_heads, kv_heads, head_dim;
  std::string_view causal;
  std::string note;
};

ShapeCells cells_of(const KernelRecord& record) {
  ShapeCells cells;
  cells.note = record.variant;
  if (const auto* gemm = std::get_if<base::Gemm>(&record.kernel)) {
    cells.op = gemm->batch > 1 ? "grouped_gemm" : "gemm";
    cells.m = std::to_string(gemm->m);
    cells.n = std::to_string(gemm->n);
    cells.k = std::to_string(gemm->k);
    if (gemm->batch > 1) cells.batch = std::to_string(gemm->batch);
  } else if (const auto* a = std::get_if<base::Attention>(&record.kernel)) {
    cells.op = a->backward ? "attention_bwd" : "attention_fwd";
    cells.batch = std::to_string(a->batch);
    cells.seq_len = std::to_string(a->seq_q);
    cells.q_heads = std::to_string(a->q_heads);
    cells.kv_heads = std::to_string(a->kv_heads);
    cells.head_dim = std::to_string(a->head_dim);
    cells.causal = a->causal ? std::string_view("1") : std::string_view("0");
    if (a->seq_kv != a->seq_q || a->window > 0)
      cells.note = fmt::format("{} keys, window {} {}", a->seq_kv, a->window, cells.note);
  } else {
    cells.note =
        fmt::format("{}: {} x {} {}", record.kind, record.rows, record.columns, cells.note);
  }
  return cells;
}

std::string kernel_line(const KernelRecord& record, const calibrate::Run& run, std::size_t index) {
  const ShapeCells cells = cells_of(record);
  const double flop = base::flop_of(record.kernel).count();
  return csv_line({fmt::format("{}-k{}", run.id.substr(0, 8), index + 1), source_of(run),
                   fmt::format("{} {}", record.library, record.library_version), record.device,
                   std::string(cells.op), std::string(base::name_of(record.dtype)), cells.m,
                   cells.n, cells.k, cells.batch, cells.seq_len, cells.q_heads, cells.kv_heads,
                   cells.head_dim, std::string(cells.causal), microseconds(record.times),
                   flop > 0 ? rate(flop, record.times, 1e12) : "", cells.note, "high"});
}

}  // namespace

std::string collectives_csv(const std::vector<RunRecords>& runs) {
  std::string out =
      "id,source,sweep,collective,library,library_version,gpu,n_gpus,n_nodes,gpus_per_node,"
      "nic_gbps_per_node,fabric,dtype,size_bytes,in_place,time_us,algbw_gb_s,busbw_gb_s,algorithm,"
      "note,trust\n";
  std::map<std::string, int> sweeps;
  for (const RunRecords& all : runs)
    for (std::size_t i = 0; i < all.collectives.size(); ++i)
      out += collective_line(all.collectives[i], all.run, i, sweeps);
  return out;
}

std::string kernels_csv(const std::vector<RunRecords>& runs) {
  std::string out =
      "id,source,library,gpu,op,dtype,m,n,k,batch,seq_len,q_heads,kv_heads,head_dim,causal,time_us,"
      "tflops,note,trust\n";
  for (const RunRecords& all : runs)
    for (std::size_t i = 0; i < all.kernels.size(); ++i)
      out += kernel_line(all.kernels[i], all.run, i);
  return out;
}

}  // namespace viz
