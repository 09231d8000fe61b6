#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/dtype.hpp"
#include "base/units.hpp"

namespace base {
class MapReader;
}

/// What a GPU, a NIC and a node are: read from the YAML files of `scenarios/hardware`, where each
/// figure names its source. Adding a machine is a new file there and no C++.
namespace topology {

/// Where figures of a hardware file come from. A figure without one is a mistake in the file.
struct FigureSource {
  std::vector<std::string> of;  ///< keys, for example "memory_bandwidth" or "peak.fp8"
  std::string from;             ///< document and table, or "assumed" and why
  std::string date;             ///< of the document: "2023", "2023-03" or "2023-03-14"
};

/// One GPU model. Peaks are dense (no sparsity).
struct GpuSpec {
  std::string name;                  ///< registry name, for example "H100-SXM5-80GB"
  std::string vendor;                ///< "nvidia", "amd" or "cpu"
  std::string architecture;          ///< "volta", "ampere", "ada", "hopper", "blackwell",
                                     ///< "cdna2", "cdna3"
  std::vector<std::string> aliases;  ///< other spellings; `*` matches any rest (GFD product names)
  std::map<base::DType, base::FlopPerSecond> peak;  ///< absent dtype: the GPU cannot compute in it
  base::Bytes memory;                               ///< what the driver reports as the total
  base::BytesPerSecond memory_bandwidth;
  /// Watts; 0: not said, and taken to be what others of the architecture have.
  double power_limit = 0;
  int multiprocessors = 0;      ///< SMs or compute units, for wave quantisation
  base::Seconds kernel_launch;  ///< least time of a launched kernel, back to back
  std::vector<FigureSource> sources;
};

/// How the GPUs inside one node (or NVLink domain) reach each other.
enum class ScaleUpKind {
  nvswitch,  ///< any pair at the full rate of a GPU
  mesh,      ///< a direct link to every other GPU, a share of the rate each (xGMI)
  pcie,      ///< through PCIe switches and the host
  none,      ///< one GPU per node
};

/// Who made the CPUs of a node: NCCL prices small messages across nodes by it.
enum class CpuVendor { unknown, intel, amd, arm };

/// What the NICs of a node speak, where collectives over it were measured apart: elsewhere
/// (InfiniBand, RoCE and whatever is not said) `verbs`.
enum class NicKind { verbs, efa, slingshot, gpudirect_tcpx, gpudirect_tcpxo };

inline constexpr std::array<std::pair<std::string_view, NicKind>, 5> nic_kind_names{{
    {"verbs", NicKind::verbs},
    {"efa", NicKind::efa},
    {"slingshot", NicKind::slingshot},
    {"gpudirect-tcpx", NicKind::gpudirect_tcpx},
    {"gpudirect-tcpxo", NicKind::gpudirect_tcpxo},
}};

/// One node type: GPUs, their links, NICs.
struct NodeType {
  std::string name;                  ///< for example "dgx-h100"
  std::vector<std::string> aliases;  ///< cloud instance types and GFD machine names
  std::string gpu;                   ///< GpuSpec::name
  int gpus = 0;
  CpuVendor cpu = CpuVendor::unknown;
  ScaleUpKind scale_up = ScaleUpKind::none;
  base::BytesPerSecond scale_up_rate;  ///< per GPU, one direction, raw
  double scale_up_efficiency = 1;      ///< share of it that large transfers reach
  /// Raw rate of a GPU in a group of 2, 3, ... GPUs of the node, where links are so uneven that no
  /// rule gives it (hybrid cube mesh); empty elsewhere.
  std::vector<base::BytesPerSecond> scale_up_group_rates;
  bool in_switch_reduction = false;  ///< NVLink SHARP (NVLS)
  base::Seconds scale_up_latency;    ///< per hop of a collective
  int scale_up_domain_nodes = 1;     ///< nodes that share one NVLink domain (NVL72: 18)
  base::BytesPerSecond pcie_rate;    ///< GPU to host or NIC, per direction, usable
  int nics = 0;                      ///< compute NICs; GPU i uses NIC i * nics / gpus
  NicKind nic_kind = NicKind::verbs;
  base::BytesPerSecond nic_rate;  ///< per NIC, one direction, raw
  double nic_efficiency = 1;      ///< share of it that large transfers reach
  base::Seconds nic_latency;      ///< NIC to NIC under one switch, per network hop of a
                                  ///< collective
  std::vector<FigureSource> sources;
};

/// Usable rate of one GPU, one direction, when `members` GPUs of one node talk only to each other.
/// In a mesh it is the share of the links that lead to members, in a cube mesh what the node type
/// says. \pre 2 <= members.
base::BytesPerSecond scale_up_rate_among(const NodeType& type, int members);

/// Everything in a folder of hardware YAML files.
class HardwareRegistry {
 public:
  /// Reads `DIR/gpus/*.yaml` and `DIR/nodes/*.yaml`; every mistake of every file at once.
  static base::Result<HardwareRegistry> read(const std::string& folder);

  /// By name or alias; nullptr when unknown. Case does not matter and a space is a dash ("NVIDIA
  /// H100 80GB HBM3"). A whole name wins over an alias that ends in `*`, of those the longest wins;
  /// `*` does not match "-MIG-...": a slice of a GPU is another thing.
  const GpuSpec* find_gpu(std::string_view name) const;
  const NodeType* find_node(std::string_view name) const;
  const std::vector<GpuSpec>& gpus() const { return gpus_; }
  const std::vector<NodeType>& nodes() const { return nodes_; }
  std::vector<std::string_view> gpu_names() const;
  std::vector<std::string_view> node_names() const;

 private:
  std::vector<GpuSpec> gpus_;
  std::vector<NodeType> nodes_;
};

/// Reads the keys of a node type over the values `type` already has. With `complete`, a key that
/// has no meaningful default must be there. Does not call `finish()`.
void read_node_type(base::MapReader& reader, NodeType& type, bool complete);

/// Of the types with this GPU and at least `gpus` of them, the one whose NICs together come nearest
/// to `network` (per node, one direction), then the smallest, then the first; nullptr without any.
/// Types go before all others whose name, alias or kind of NIC is a word of `text`: "EFA 3200
/// Gbps/node (p5.48xlarge)"; behind all others those of one cloud's own NICs that it does not name.
const NodeType* nearest_node_type(const HardwareRegistry& registry, std::string_view gpu, int gpus,
                                  std::optional<base::BytesPerSecond> network,
                                  std::string_view text = {});

/// Parsers of one file each, for tests and fuzzers. `read_node` cannot know whether the GPU exists.
base::Result<GpuSpec> read_gpu(std::string_view yaml, const std::string& file);
base::Result<NodeType> read_node(std::string_view yaml, const std::string& file);

}  // namespace topology
