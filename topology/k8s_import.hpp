#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "topology/cluster_spec.hpp"
#include "topology/hardware.hpp"
#include "topology/label_schemes.hpp"

/// From what Kubernetes says of its nodes to a cluster that can be built.
namespace topology {

struct ImportOptions {
  std::string gpu;                  ///< name or alias: import only nodes with this GPU
  std::string selector;             ///< as `kubectl -l`: "pool=train,zone!=b,has-key,!has-not"
  std::string scheme;               ///< name of a label scheme; empty: the most complete one
  std::vector<std::string> levels;  ///< label keys of your own, coarse to fine; win over `scheme`
  bool unavailable = false;         ///< import cordoned and not-ready nodes too
  std::string node_type;  ///< what nodes are of which no dump tells the GPU; empty: left out
  base::SourceRef where;  ///< where these options were written; empty: the dump's name
};

struct KubernetesImport {
  ClusterSpec spec;                  ///< its notes are `notes`: print one of them
  base::Diagnostics notes;           ///< what was inferred, left out, and why; warnings among them
  std::string scheme;                ///< the label scheme used, "own" for own levels; empty: none
  std::string scheme_reason;         ///< why it was chosen among several; empty: it was alone
  std::vector<SchemeCoverage> seen;  ///< every scheme found on the usable GPU nodes
  SchemeCoverage coverage;           ///< of the one used
  std::string accelerator_key;       ///< label the NVLink domains come from; empty: none
  int nodes_in_dump = 0;
  int cpu_nodes = 0;  ///< left out because they have no GPU
};

/// Imports the text of `kubectl get nodes -o json` or `-o yaml`. Nodes come in natural order of
/// their names (node-2 before node-10), whatever the order of the dump.
///
/// The type of a node is found by its instance type, else by the machine name that GPU feature
/// discovery gives, else by GPU model and count; the last is a guess and says so. The GPU that the
/// driver reports wins over what the instance type promises.
base::Result<KubernetesImport> import_kubernetes(std::string_view text, const std::string& file,
                                                 const HardwareRegistry& registry,
                                                 const ImportOptions& options = {});

}  // namespace topology
