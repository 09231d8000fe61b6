#pragma once

#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "topology/k8s_import.hpp"
#include "topology/k8s_inventory.hpp"
#include "topology/label_schemes.hpp"

/// What the user should know of how domains were found.
namespace topology {

/// The label maps of the nodes, for `read_domains`.
std::vector<const base::Node*> labels_of(const std::vector<GpuNode>& nodes);

/// Which labels tell the switches and why these, and which nodes lack some; messages without a
/// better place point at `file`. \pre `tree` is that of `nodes`.
void explain_domains(const DomainTree& tree, const std::vector<GpuNode>& nodes,
                     const ImportOptions& options, const base::SourceRef& file,
                     base::Diagnostics& notes);

/// The NVLink domain of each node as its label says, empty where there is none or where NVLink of
/// its type ends at the node; what is odd about them goes to `notes`.
std::vector<std::string> accelerator_domains(const DomainTree& tree,
                                             const std::vector<GpuNode>& nodes,
                                             const base::SourceRef& file, base::Diagnostics& notes);

}  // namespace topology
