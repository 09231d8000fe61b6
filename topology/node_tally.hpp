#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostic.hpp"
#include "topology/found_cluster.hpp"
#include "topology/k8s_nodes.hpp"

namespace topology {

/// Collects what befell nodes, so that ten thousand of them make one message and not ten thousand.
/// Messages come in the order in which their first node came.
class NodeTally {
 public:
  /// `what` continues "N nodes ": "are not Ready and are left out".
  void add(const KubernetesNode& node, base::Severity severity, std::string what,
           std::string hint = {});
  void add(const FoundNode& node, base::Severity severity, std::string what, std::string hint = {});
  /// One message for each `what`, at its first node, with the names of up to three.
  void report(base::Diagnostics& to) const;

 private:
  void add(std::string_view name, const base::SourceRef& where, base::Severity severity,
           std::string what, std::string hint);

  struct Group {
    base::Severity severity;
    std::string what;
    std::string hint;
    base::SourceRef where;
    std::vector<std::string_view> names;  ///< up to `names_shown`
    int count = 0;
  };
  static constexpr std::size_t names_shown = 3;
  std::vector<Group> groups_;
};

/// "3 nodes", "1 node".
std::string count_of(int count, std::string_view singular);

}  // namespace topology
