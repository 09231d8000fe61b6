#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "topology/found_cluster.hpp"
#include "topology/import/remarks.hpp"

namespace topology {

/// Puts a fabric together of what the ends of cables tell. Each cable is told by one end or by
/// both; it becomes one FoundCable, and ends that contradict each other become a note.
class CableBook {
 public:
  CableBook(std::string format, std::string file)
      : format_(std::move(format)), file_(std::move(file)) {}

  /// Indices for CableEnd; what is new is added, what was unknown of a switch is filled in.
  std::size_t node(const std::string& name, const base::SourceRef& where);
  std::size_t fabric_switch(FoundSwitch found);
  /// The NIC of a node by `name`, or by `id` where it has no name. \returns what CableEnd::nic is.
  std::string nic(std::size_t node, const std::string& name, const std::string& id);

  /// A cable as its end `a` tells it. Two ends are the same where the device and the port are; the
  /// cable of an end without a port is the next between the same devices that `a` did not tell.
  void add(FoundCable cable);

  std::string name_of(const CableEnd& end) const;
  Remarks& remarks() { return remarks_; }
  const std::string& file() const { return file_; }

  /// The fabric, nodes and switches in natural order, with tiers, rails and roles as the cables
  /// show them.
  FoundCluster take();

 private:
  struct Untold {
    std::vector<std::size_t> cables;  ///< without ports, between two devices
    std::size_t told[2] = {0, 0};     ///< of these, by the first and by the second device
  };
  using Device = std::pair<CableEnd::At, std::size_t>;

  static std::string key_of(const CableEnd& end);
  bool add_by_port(FoundCable& cable);
  void add_by_count(FoundCable& cable);
  void confirm(FoundCable& have, FoundCable told);
  void same_nic(CableEnd& have, const CableEnd& told);
  FoundNic* find_nic(const CableEnd& end);
  void remember(FoundCable cable);
  void rate_nics();
  void sort();

  std::string format_;
  std::string file_;
  FoundCluster out_;
  Remarks remarks_;
  std::unordered_map<std::string, std::size_t> node_at_;    ///< by name
  std::unordered_map<std::string, std::size_t> switch_at_;  ///< by id
  std::unordered_map<std::string, std::size_t> nic_at_;     ///< by node, and name or id
  std::unordered_map<std::string, std::size_t> cable_at_;   ///< by key of an end
  std::map<std::pair<Device, Device>, Untold> untold_;
};

/// "3 nodes, 2 switches, 5 cables".
std::string counts_of(const FoundCluster& cluster);

}  // namespace topology
