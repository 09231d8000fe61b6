#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/document.hpp"
#include "base/map_reader.hpp"
#include "topology/import/domain_paths.hpp"
#include "topology/import/named_switches.hpp"
#include "topology/import/topograph.hpp"

namespace topology {

bool is_topograph_graph(std::string_view text) {
  text = text.substr(0, 65536);
  return text.find("\"instances\"") != std::string_view::npos &&
         text.find("\"network_layers\"") != std::string_view::npos;
}

base::Result<FoundCluster> read_topograph_graph(std::span<const DumpFile> files,
                                                const ImportContext&) {
  const auto document = base::parse_json(files.front().text, files.front().name);
  if (!document) return tl::unexpected(document.error());
  base::Diagnostics problems;
  base::MapReader root(*document, document->root, "", problems);
  FoundCluster found;
  std::unordered_set<std::string> names;
  for (base::MapReader& instance : root.maps("instances")) {
    FoundNode node;
    instance.require("id", node.name);
    node.where = instance.where("id");
    if (!node.name.empty() && !names.insert(node.name).second)
      problems.push_back({node.where, fmt::format("the instance '{}' is given twice", node.name)});
    instance.read("network_layers", node.domains);
    std::erase(node.domains, "");
    std::reverse(node.domains.begin(), node.domains.end());
    if (auto labels = instance.map("labels")) {
      labels->read("accelerator.topograph.run/domain", node.accelerator_domain);
      labels->read("accelerator.topograph.run/sub-domain", node.accelerator_partition);
    }
    found.nodes.push_back(std::move(node));
  }
  if (problems.empty() && found.nodes.empty())
    problems.push_back({root.where(), "there are no 'instances'", "the graph is empty"});
  sort_nodes(found);
  align_paths(found, "fabric.topograph.run/tier-", problems);
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  found.sources.push_back(
      {"topograph-graph", files.front().name,
       fmt::format("{} nodes, {} levels", found.nodes.size(), found.levels.size())});
  return found;
}

}  // namespace topology
