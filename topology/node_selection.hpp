#pragma once

#include <vector>

#include "base/diagnostic.hpp"
#include "topology/k8s_import.hpp"
#include "topology/k8s_nodes.hpp"

namespace topology {

/// Where messages about the options point: at the options, or at the first file of the dump.
base::SourceRef place_of(const ImportOptions& options, const std::string& file);

/// GPUs and label schemes that are not known.
base::Diagnostics check_options(const ImportOptions& options, const HardwareRegistry& registry,
                                const base::SourceRef& where);

/// Leaves the nodes that the selector of the options wants, in natural order of their names; what
/// is wrong with the selector.
base::Diagnostics select_nodes(std::vector<KubernetesNode>& nodes, const ImportOptions& options,
                               const base::SourceRef& where, base::Diagnostics& notes);

}  // namespace topology
