#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/dtype.hpp"
#include "base/units.hpp"

/// What a GPU, a NIC and a node are: read from the YAML files of `scenarios/hardware`, where each
/// figure names its source. Adding a machine is a new file there and no C++.
namespace topology {

/// One GPU model. Peaks are dense (no sparsity).
struct GpuSpec {
  std::string name;      ///< registry name, for example "H100-SXM5-80GB"
  std::string vendor;    ///< "nvidia" or "amd"
  std::string architecture;  ///< "volta", "ampere", "ada", "hopper", "blackwell", "cdna3"
  std::vector<std::string> aliases;  ///< other spellings; `*` matches any rest (GFD product names)
  std::map<base::DType, base::FlopPerSecond> peak;  ///< absent dtype: the GPU cannot compute in it
  base::Bytes memory;
  base::BytesPerSecond memory_bandwidth;
  int multiprocessors = 0;  ///< SMs or compute units, for wave quantisation
  base::Seconds kernel_launch;  ///< least time of a launched kernel, back to back
};

/// How the GPUs inside one node (or NVLink domain) reach each other.
enum class ScaleUpKind {
  nvswitch,  ///< any pair at the full rate of a GPU
  mesh,      ///< a direct link to every other GPU, a share of the rate each (xGMI)
  pcie,      ///< through PCIe switches and the host
  none,      ///< one GPU per node
};

/// One node type: GPUs, their links, NICs.
struct NodeType {
  std::string name;      ///< for example "dgx-h100"
  std::vector<std::string> aliases;  ///< cloud instance types and GFD machine names
  std::string gpu;       ///< GpuSpec::name
  int gpus = 0;
  ScaleUpKind scale_up = ScaleUpKind::none;
  base::BytesPerSecond scale_up_rate;      ///< per GPU, one direction, raw
  double scale_up_efficiency = 1;          ///< share of it that large transfers reach
  bool in_switch_reduction = false;        ///< NVLink SHARP (NVLS)
  base::Seconds scale_up_latency;          ///< per hop of a collective
  int scale_up_domain_nodes = 1;           ///< nodes that share one NVLink domain (NVL72: 18)
  base::BytesPerSecond pcie_rate;          ///< GPU to host or NIC, per direction, usable
  int nics = 0;                            ///< compute NICs; GPU i uses NIC i * nics / gpus
  base::BytesPerSecond nic_rate;           ///< per NIC, one direction, raw
  double nic_efficiency = 1;               ///< share of it that large transfers reach
  base::Seconds nic_latency;               ///< NIC to NIC under one switch, per network hop of a collective
};

/// Everything in a folder of hardware YAML files.
class HardwareRegistry {
 public:
  /// Reads `DIR/gpus/*.yaml` and `DIR/nodes/*.yaml`; every mistake of every file at once.
  static base::Result<HardwareRegistry> read(const std::string& folder);

  /// By name or alias, case-insensitive; nullptr when unknown.
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

/// Parsers of one file each, for tests and fuzzers.
base::Result<GpuSpec> read_gpu(std::string_view yaml, const std::string& file);
base::Result<NodeType> read_node(std::string_view yaml, const std::string& file);

}  // namespace topology
