#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "topology/found_cluster.hpp"

namespace topology {

/// Finds a machine by any of its names, as different tools write them: "GPU-17.Cluster.local" is
/// "gpu-17" unless there is another "gpu-17.…". Addresses are names without a domain.
class NodeNames {
 public:
  void add(std::string_view name, std::size_t node);
  /// Its name and aliases.
  void add(const FoundNode& machine, std::size_t node);
  /// Nothing when nobody, or more than one, has the name.
  std::optional<std::size_t> find(std::string_view name) const;
  /// By its name, else by the first alias that is known.
  std::optional<std::size_t> find(const FoundNode& machine) const;

 private:
  std::map<std::string, std::set<std::size_t>, std::less<>> whole_;
  std::map<std::string, std::set<std::size_t>, std::less<>> short_;
};

}  // namespace topology
