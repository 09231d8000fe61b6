#include "topology/hostlist.hpp"

#include "topology/export/tree.hpp"
#include "topology/export/writers.hpp"

namespace topology {

base::Result<Exported> write_hostlist(const FoundCluster& cluster) {
  Exported out;
  const auto nodes = export_nodes(cluster, name_letters, out.notes);
  if (!nodes) return tl::unexpected(nodes.error());
  std::vector<std::string> names;
  for (const FoundNode* node : *nodes) names.push_back(node->name);
  out.text = compress_hostlist(names) + "\n";
  return out;
}

}  // namespace topology
