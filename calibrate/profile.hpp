#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/collective.hpp"
#include "base/kernel.hpp"
#include "base/units.hpp"
#include "topology/hardware.hpp"

/// The only source of durations: every kernel and every collective of a step is priced here.
namespace calibrate {

/// How well a duration is known, best first.
enum class Evidence { measured, interpolated, fitted, model };

std::string_view name_of(Evidence evidence);

/// A duration with its pedigree.
struct Duration {
  base::Seconds time;
  double spread = 0;  ///< relative standard deviation of the true time about `time`
  Evidence evidence = Evidence::model;
  int source = 0;  ///< index into Profile::sources()
};

using base::bus_factor;
using base::Collective;
using base::CollectiveAlgorithm;
using base::Protocol;

/// Where the members of a communicator sit.
struct GroupShape {
  int ranks = 1;
  int nodes = 1;                       ///< scale-up domains that the group touches
  int ranks_per_node = 1;              ///< most members in one of them
  base::BytesPerSecond scale_up_rate;  ///< per rank inside a node, usable
  base::Seconds scale_up_latency;
  bool in_switch_reduction = false;
  /// Per node, all the NICs that the group's members there can use together when alone.
  base::BytesPerSecond network_rate;
  base::Seconds network_latency;
  int nics = 0;  ///< per node, those that the members use
  /// What the slowest node is made of; null where a shape is made up without a machine.
  const topology::NodeType* node = nullptr;
  const topology::GpuSpec* gpu = nullptr;

  bool operator==(const GroupShape&) const = default;
};

/// Time of a collective when it is alone: latency + wire bytes / rate. The simulator replays the
/// bytes of `algorithm` as flows that end together after total.time - latency, so that an
/// uncontended replay takes exactly `total.time`.
struct CollectiveCost {
  base::Seconds latency;
  base::BytesPerSecond bus_rate;  ///< bus bandwidth of the wire part, nccl-tests definition
  Duration total;
  CollectiveAlgorithm algorithm = CollectiveAlgorithm::ring;
  Protocol protocol = Protocol::none;
  int channels = 0;  ///< SMs that serve it; 0 when unknown
  /// What it takes of a GPU from kernels that run beside it.
  double sm_share = 0;
  double memory_share = 0;  ///< of the bandwidth
  /// Who measured those shares: indices into Profile::sources(). -1: nobody, a model sets them.
  int sm_share_source = -1;
  int memory_share_source = -1;
  /// What of its own speed it loses to kernels beside it that compute, and to those that memory
  /// bounds, [0, 1); and who measured that. No model knows it: 0 where nobody did.
  double lost_to_products = 0;
  double lost_to_memory = 0;
  int lost_to_products_source = -1;
  int lost_to_memory_source = -1;
  base::Seconds held_up;  ///< of total, what kernels of the same work cost it; 0 when alone

  /// Takes so long from now on, in which latency and wire grow alike. \pre total.time is above 0
  void stretch_to(base::Seconds time) {
    const double longer = time / total.time;
    latency = latency * longer;
    bus_rate = bus_rate * (1 / longer);
    total.time = total.time * longer;
  }
  bool is_held_up() const { return lost_to_products > 0 || lost_to_memory > 0; }
  /// Seconds in which bytes move.
  double wire_time() const { return total.time > latency ? (total.time - latency).s() : 0.0; }
};

/// Prices kernels on one GPU model and collectives on its links.
class Profile {
 public:
  virtual ~Profile() = default;
  /// Whether GEMMs and attention in this format can be priced; `kernel` may only be asked for
  /// those.
  virtual bool supports([[maybe_unused]] base::DType type) const { return true; }
  virtual Duration kernel(const base::Kernel& kernel) const = 0;
  /// `bytes` as nccl-tests counts them, see base::Collective. Nothing for an operation that the
  /// backend does not have: whoever chose it is told, see CollectiveBackend::supports.
  virtual CollectiveCost collective(Collective op, base::Bytes bytes,
                                    const GroupShape& shape) const = 0;
  /// Names for people, for example "H100-SXM5-80GB GEMM curve (1,026 points, 2026-11)".
  virtual const std::vector<std::string>& sources() const = 0;
};

}  // namespace calibrate
