#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/units.hpp"
#include "sim/critical_path.hpp"
#include "sim/engine.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"
#include "topology/cluster.hpp"

namespace sim {

/// Shares of the step of an average rank; they add up to the step time.
struct Breakdown {
  base::Seconds forward;  ///< kernels
  base::Seconds backward;
  base::Seconds recompute;
  base::Seconds tensor_exposed;     ///< compute stream waits for tensor-parallel collectives
  base::Seconds context_exposed;    ///< … for those of context parallelism
  base::Seconds expert_exposed;     ///< … for the exchange of tokens with experts
  base::Seconds data_exposed;       ///< … for gradient reduction
  base::Seconds parameter_exposed;  ///< … for ZeRO/FSDP parameter gathers
  base::Seconds pipeline_exposed;   ///< … for a stage's message while it is on the wire
  base::Seconds bubble;             ///< … for a rank that has not come that far
  base::Seconds optimizer;
  base::Seconds host;       ///< GPU idle while the host launches operators
  base::Seconds allocator;  ///< GPU idle while the allocator asks for memory that there is not
  base::Seconds slowed;  ///< kernels slower for collectives beside them, which take SMs and memory
                         ///< bandwidth
  base::Seconds other;

  base::Seconds exposed() const {  ///< communication that computing waits for
    return tensor_exposed + context_exposed + expert_exposed + data_exposed + parameter_exposed +
           pipeline_exposed;
  }
  base::Seconds total() const {
    return forward + backward + recompute + exposed() + bubble + optimizer + host + allocator +
           slowed + other;
  }
};

using MemoryParts = std::array<base::Bytes, memory_part_count>;

/// The figures by which memory is published: tensors; what the framework's allocator has for them;
/// the whole of what a GPU has given away (nvidia-smi).
base::Bytes allocated(const MemoryParts& parts);
base::Bytes reserved(const MemoryParts& parts);
base::Bytes on_device(const MemoryParts& parts);

/// When a rank holds most.
struct MemoryMoment {
  base::Seconds time;
  double share = 0;    ///< of the step
  std::string task;    ///< "begin of backward chunk 0, micro-batch 3"; empty: it never changes
  std::string stream;  ///< "compute"
};

/// Tensors that are alike.
struct AliveTensors {
  MemoryPart part = MemoryPart::weights;
  std::string what;  ///< "layer"
  base::Bytes bytes;
};

/// The peak of a program's first rank.
struct StageMemory {
  std::string name;  ///< "stage 3"
  int rank = 0;
  base::Bytes allocated;
  base::Bytes reserved;
  base::Bytes device;
};

struct MemoryReport {
  base::Bytes peak;  ///< worst rank: on the device
  base::Bytes capacity;
  bool fits = true;
  int worst_rank = 0;
  MemoryParts parts{};              ///< of the worst rank at its peak
  MemoryMoment moment;              ///< of that peak
  std::vector<AliveTensors> alive;  ///< at it, by part and then the largest first
  std::vector<StageMemory> stages;  ///< of every program
  /// Memory of the worst rank over time, for the trace: (seconds, bytes), ascending.
  std::vector<std::pair<double, base::Bytes>> curve;
  std::string advice;  ///< what to change when it does not fit, see advise; empty otherwise
};

struct LinkLoad {
  std::string name;  ///< "leaf-3 -> spine-1"
  base::Bytes bytes;
  base::BytesPerSecond rate;
  double utilisation = 0;  ///< bytes / (rate x step)
  double busy = 0;         ///< share of the step in which it was asked for more than its rate
  base::Seconds lost;      ///< that its transfers would have saved had it been wide enough
  int alike = 1;           ///< links between such devices, with this rate, as busy
};

struct SourceShare {
  std::string name;
  double share = 0;   ///< of the busy time of an average rank
  double spread = 0;  ///< relative
};

/// A step time that somebody measured, and where it is written.
struct Measured {
  base::Seconds step;
  std::string source;
};

/// The step once more with one thing changed.
struct ChangedStep {
  std::string change;  ///< "links between nodes twice as fast"
  base::Seconds step;
};

/// What `run` answers. Every field has its unit in its type.
struct Report {
  std::string scenario;
  Fidelity fidelity = Fidelity::hybrid;
  int ranks = 0;
  int ranks_played = 0;  ///< different ones; 0: the analytic engine plays none
  std::string model;     ///< "Llama-3.1-8B, 8.03 B parameters"
  std::string cluster;   ///< "2 x dgx-h100 (16 x H100-SXM5-80GB), rail-optimised"
  std::string plan;      ///< "tp 8, pp 2, dp 4 (ZeRO-1), 1F1B, micro-batch 1 x 32"
  base::Seconds step;
  base::Seconds step_p10;
  base::Seconds step_p90;
  base::Seconds lower_bound;  ///< analytic: no contention
  std::int64_t tokens = 0;    ///< per step
  double tokens_per_s = 0;
  double tokens_per_s_per_gpu = 0;
  double model_tflops_per_gpu = 0;  ///< without recompute
  double mfu = 0;                   ///< of the dense peak of the compute dtype
  double hfu = 0;                   ///< with recompute
  MemoryReport memory;
  Breakdown breakdown;
  /// Those that held transfers up longest, then the busiest; equal ones folded, at most 10.
  std::vector<LinkLoad> links;
  std::vector<double> link_utilisation;  ///< of every link of the cluster graph
  std::vector<SourceShare> sources;
  std::optional<Measured> measured;
  std::string bottleneck;  ///< one sentence: what bounds the step
  /// The most that a collective takes of a GPU from kernels beside it; 0 when none runs beside any.
  double sm_share = 0;
  double memory_share = 0;  ///< of the bandwidth
  /// How much longer collectives took for kernels beside them, all together, of an average rank.
  base::Seconds held_up;
  std::vector<PathPart> critical_path;  ///< largest first; adds up to the step
  /// Least step first; empty unless somebody plays them, see what_if.hpp.
  std::vector<ChangedStep> what_if;
  std::string binding_link;       ///< one sentence: the link that binds; empty when none does
  base::Diagnostics diagnostics;  ///< warnings and notes: what was inferred or extrapolated
};

std::string_view name_of(Fidelity fidelity);

/// Everything that a report is drawn from.
struct ReportInput {
  std::string scenario;
  std::string model;
  std::string cluster_text;
  std::string plan_text;
  Fidelity fidelity = Fidelity::hybrid;
  const StepGraph& graph;
  const Timeline& timeline;
  base::Seconds lower_bound;
  const topology::Cluster& cluster;
  const std::vector<topology::GpuId>& gpu_of_rank;
  std::int64_t tokens = 0;  ///< per step, all ranks
  base::Flop model_flop;    ///< per step, all ranks
  base::Flop hardware_flop;
  base::DType compute_dtype = base::DType::bf16;
  std::optional<Measured> measured;
  base::Diagnostics diagnostics;
};

/// Reads the outcome of an executor. Checks that the breakdown adds up to the step.
Report summarise(const ReportInput& input);

/// The breakdown of an average rank, from the spans of the compute stream and of what it waited
/// for. Its parts add up to `timeline.step`.
Breakdown break_down(const StepGraph& graph, const Timeline& timeline);

/// What of a step a peak is taken over.
enum class PeakOf {
  step,
  update,  ///< from the end of the last backward on
};

/// What a rank holds when that is most, by part.
MemoryParts peak_of_rank(const StepGraph& graph, const Timeline& timeline, int rank,
                         PeakOf span = PeakOf::step);

/// Peak memory of the worst rank and its course; ranks of one program differ in time only, so one
/// representative of each is followed.
MemoryReport follow_memory(const StepGraph& graph, const Timeline& timeline,
                           const std::vector<base::Bytes>& capacity_of_rank);

}  // namespace sim
