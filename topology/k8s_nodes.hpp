#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/document.hpp"
#include "topology/k8s_objects.hpp"

/// The Node objects of a dump, before anything is concluded from them.
namespace topology {

/// One Node object. The pointers lead into the document it was read from.
struct KubernetesNode {
  std::string name;
  base::SourceRef where;  ///< of the name
  const KubernetesObject* object = nullptr;
  const base::Node* labels = nullptr;
  const base::Node* allocatable = nullptr;  ///< nullptr: the dump has no status
  bool ready = true;
  bool cordoned = false;
  std::vector<std::string> taints;  ///< "key=value:effect" of those that keep pods away
  /// What ResourceSlices say of it, where they do: a driver of its own may replace the device
  /// plugin.
  int slice_gpus = -1;  ///< -1: nothing
  std::string slice_product;
};

/// The Node objects, with the places of what is wrong with them. None at all is a mistake, unless
/// an empty list of nodes was told.
base::Result<std::vector<KubernetesNode>> collect_nodes(const KubernetesObjects& objects);

}  // namespace topology
