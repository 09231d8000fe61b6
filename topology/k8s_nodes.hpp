#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/document.hpp"

/// The objects of a node dump, before anything is concluded from them.
namespace topology {

/// One Node object. The pointers lead into the document it was read from.
struct KubernetesNode {
  std::string name;
  base::SourceRef where;  ///< of the name
  const base::Node* labels = nullptr;
  const base::Node* allocatable = nullptr;  ///< nullptr: the dump has no status
  bool ready = true;
  bool cordoned = false;
  std::vector<std::string> taints;  ///< "key=value:effect" of those that keep pods away
};

/// Reads the text that `kubectl get nodes -o json` or the API server gave. Tells what the text is
/// when it is something else: a page of HTML, a table, YAML, an error of the API server.
base::Result<base::Document> read_kubernetes_json(std::string_view json, const std::string& file);

/// The Node objects of a List, a NodeList, an array of either, or a single Node; other objects in
/// a mixed list are passed over with a note. Two nodes of one name are a mistake.
base::Result<std::vector<KubernetesNode>> collect_nodes(const base::Document& document,
                                                        base::Diagnostics& notes);

}  // namespace topology
