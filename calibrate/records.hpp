#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/collective.hpp"
#include "base/dtype.hpp"
#include "base/kernel.hpp"
#include "base/units.hpp"

/// What was measured, by our harness or by other people's tools: the rows of a calibration. All
/// times are in seconds.
namespace calibrate {

struct Machine {
  std::string host;
  std::string cpu;  ///< "Intel(R) Xeon(R) Platinum 8480C"
  int cores = 0;
  base::Bytes memory;
  std::string system;  ///< "Linux 6.1.0-13-amd64"

  bool operator==(const Machine&) const = default;
};

/// What a rank computes on.
struct Device {
  std::string name;      ///< as the registry has it ("H200-SXM-141GB"), else as its tool printed it
  std::string identity;  ///< UUID or PCI address; empty when unknown
  base::Bytes memory;

  bool operator==(const Device&) const = default;
};

struct Software {
  std::string name;  ///< "NCCL", "driver", "CUDA"
  std::string version;

  bool operator==(const Software&) const = default;
};

enum class RunState {
  running,      ///< or its process was killed
  complete,     ///< everything that was asked for is there
  interrupted,  ///< it stopped, and said so
};

inline constexpr std::array<std::pair<std::string_view, RunState>, 3> run_state_names{{
    {"running", RunState::running},
    {"complete", RunState::complete},
    {"interrupted", RunState::interrupted},
}};

/// One use of one tool: where its rows come from.
struct Run {
  std::string id;       ///< 32 hexadecimal digits, unique in the world
  std::string tool;     ///< "foreshard", "nccl-tests", "pytorch"
  std::string version;  ///< of the tool
  std::string command;  ///< as it was given; never the environment
  std::string source;   ///< the file that was imported; empty when measured here
  std::string started;  ///< UTC, "2026-11-28T11:30:00Z"; empty when unknown
  std::string ended;
  RunState state = RunState::complete;
  Machine machine;
  std::vector<Device> devices;
  std::vector<Software> software;
  std::string note;

  bool operator==(const Run&) const = default;
};

/// Repeated measurements of one thing. What a tool did not print is 0, `mean` is always there.
struct Times {
  double mean = 0;
  double min = 0;
  double max = 0;
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
  double deviation = 0;  ///< standard
  int iterations = 0;
  int warm_up = 0;
  int dropped = 0;              ///< samples left out because the device was throttled
  std::vector<double> samples;  ///< each iteration, where they were kept

  /// The middle one where it is known, else the mean.
  double typical() const { return p50 > 0 ? p50 : mean; }
  bool operator==(const Times&) const = default;
};

/// How a tool counts the size of a message, which importers bring to nccl-tests' convention.
enum class SizeConvention { nccl_tests, torchcomms };

inline constexpr std::array<std::pair<std::string_view, SizeConvention>, 2> size_convention_names{{
    {"nccl-tests", SizeConvention::nccl_tests},
    {"torchcomms", SizeConvention::torchcomms},
}};

/// Where the ranks of a measured collective sat.
struct Placement {
  int ranks = 1;
  int nodes = 1;
  int ranks_per_node = 1;    ///< most on one of them
  int ranks_per_device = 1;  ///< above 1: ranks shared a GPU, or more ranks than cores
  int stride = 1;            ///< of world ranks between neighbours of the group
  int groups = 1;            ///< that did the same at once

  auto operator<=>(const Placement&) const = default;
};

/// One collective of one size on one group.
struct CollectiveRecord {
  base::Collective op = base::Collective::all_reduce;
  std::string library;  ///< "NCCL", "Open MPI", "Gloo"
  std::string library_version;
  std::string device;     ///< Device::name of all ranks
  std::string algorithm;  ///< as the library calls it, "ring"; empty when it chose unseen
  std::string protocol;   ///< "ll128"; empty when there is none or it chose unseen
  std::string dtype;      ///< as nccl-tests calls it: float, half, bfloat16, int8, …
  std::string reduction;  ///< "sum"; "none" without
  int root = -1;          ///< -1: has none
  Placement placement;
  base::Bytes bytes;       ///< nccl-tests convention, see base::Collective
  std::int64_t count = 0;  ///< elements, the argument of the call
  bool in_place = false;
  Times times;
  std::optional<std::int64_t> wrong;   ///< elements; nothing when data was not checked
  std::optional<double> own_estimate;  ///< what the library said that it would take
  std::string transport;               ///< "NVLink", "EFA", "sockets"; empty when unknown
  SizeConvention convention = SizeConvention::nccl_tests;  ///< of the source
  int line = 0;                                            ///< of the imported file; 0: measured

  double algorithm_bandwidth() const { return times.mean > 0 ? bytes.as_double() / times.mean : 0; }
  double bus_bandwidth() const {
    return algorithm_bandwidth() * base::bus_factor(op, placement.ranks);
  }
  bool operator==(const CollectiveRecord&) const = default;
};

/// Kinds of kernels that can be measured. All but gemm and attention are bounded by memory traffic
/// or by the launch.
inline constexpr std::array<std::string_view, 14> kernel_kinds{
    "gemm",    "attention",     "norm",      "rotary",      "gated_activation",
    "softmax", "cross_entropy", "embedding", "residual",    "adam",
    "cast",    "copy",          "launch",    "graph_launch"};

/// One kernel of one shape on one device.
struct KernelRecord {
  std::string kind;     ///< of kernel_kinds
  base::Kernel kernel;  ///< Gemm, Attention, or the traffic of the others
  /// Of memory-bound kinds: what they work on, in `dtype`.
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  base::DType dtype = base::DType::bf16;
  std::string library;  ///< "cuBLASLt", "cuDNN", "OpenBLAS"
  std::string library_version;
  std::string device;   ///< Device::name
  std::string variant;  ///< "heuristic", "best of 16", name of a kernel; empty: the library's way
  int concurrent = 1;   ///< ranks of this machine that did the same at once
  Times times;
  double clock_mhz = 0;  ///< while it ran; 0 when unknown
  double power_w = 0;
  double temperature_c = 0;
  int line = 0;  ///< of the imported file; 0: measured

  bool operator==(const KernelRecord&) const = default;
};

/// A collective and a kernel that ran at once on every rank, against each of them alone.
struct OverlapRecord {
  std::size_t collective = 0;  ///< alone: its number among those of the run
  std::size_t kernel = 0;      ///< alone, likewise
  Times collective_times;      ///< beside the kernel
  Times kernel_times;          ///< beside the collective

  bool operator==(const OverlapRecord&) const = default;
};

/// A run with all its rows: what an importer makes, and what is exported.
struct RunRecords {
  Run run;
  std::vector<CollectiveRecord> collectives;
  std::vector<KernelRecord> kernels;
  std::vector<OverlapRecord> overlaps;

  std::size_t rows() const { return collectives.size() + kernels.size() + overlaps.size(); }

  bool operator==(const RunRecords&) const = default;
};

/// How many times as long something takes beside something else, in the mean: where both share a
/// core they pause in turn, which the middle one does not see. Nothing where either was not timed.
std::optional<double> slowed(const Times& alone, const Times& beside);

/// Mean, extremes, quantiles and deviation of samples; quantiles between two samples are
/// interpolated. \pre samples is not empty
Times times_of(std::vector<double> samples);

}  // namespace calibrate
