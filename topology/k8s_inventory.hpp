#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "topology/hardware.hpp"
#include "topology/k8s_nodes.hpp"

/// Which GPUs a Kubernetes node has: from instance type, the labels of GPU feature discovery, and
/// what the scheduler may hand out.
namespace topology {

struct GpuNode {
  const KubernetesNode* node = nullptr;
  const NodeType* type = nullptr;  ///< nullptr: unknown, where all nodes are kept
  const GpuSpec* gpu = nullptr;    ///< nullptr: unknown, where all nodes are kept
  int gpus = -1;                   ///< built in; -1: unknown
  int usable_gpus = 0;             ///< whole ones that the scheduler may hand out
  std::string unavailable;         ///< why nothing new runs there; empty: it does
};

/// Which nodes with GPUs stay.
enum class Keep : std::uint8_t {
  available,    ///< those where a step can run now
  unavailable,  ///< cordoned and not-ready ones, too
  all,          ///< also those without whole GPUs, and those of an unknown kind
};

/// Resources that are GPUs.
inline constexpr std::array<std::string_view, 3> gpu_resources{
    "nvidia.com/gpu", "nvidia.com/gpu.shared", "amd.com/gpu"};

/// A count as Kubernetes writes it: "8", or "8k" for thousands; up to a million.
std::optional<int> parse_count(std::string_view text);

struct InventoryOptions {
  const GpuSpec* gpu = nullptr;  ///< leave out nodes with any other
  Keep keep = Keep::available;
};

struct Inventory {
  std::vector<GpuNode> nodes;  ///< in the order given
  int cpu_nodes = 0;
};

/// Sorts out the nodes. Each kind of surprise becomes one note with the number of nodes; GPUs that
/// the registry does not know are mistakes, one for each spelling, unless
/// the options leave such nodes out anyway or keep all.
base::Result<Inventory> take_inventory(const std::vector<KubernetesNode>& nodes,
                                       const HardwareRegistry& registry,
                                       const InventoryOptions& options, base::Diagnostics& notes);

}  // namespace topology
