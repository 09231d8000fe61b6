#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "topology/found_cluster.hpp"

namespace topology {

/// What ports say of their neighbours, by the names of devices and ports: LLDP and what is made of
/// it.
class NeighbourTable {
 public:
  enum class Kind : std::uint8_t { untold, host, fabric_switch };

  /// An end of a cable.
  struct End {
    std::string device;
    std::string port;  ///< empty: unknown
    std::string id;    ///< MAC of the port; empty: unknown
  };
  struct Row {
    End from;
    End to;
    base::BytesPerSecond rate;  ///< 0: unknown
    bool down = false;
    base::SourceRef where;
  };

  void add(Row row) { rows_.push_back(std::move(row)); }
  /// What a device is, where the dump says so.
  void set_kind(const std::string& device, Kind kind) { kinds_[device] = kind; }
  bool empty() const { return rows_.empty(); }

  /// The fabric. A device of which nothing is said is a switch where most of its ports are named as
  /// those of switches are, else a host.
  FoundCluster build(std::string format, std::string file, base::Diagnostics notes) const;

 private:
  std::unordered_map<std::string, Kind> find_kinds() const;

  std::vector<Row> rows_;
  std::unordered_map<std::string, Kind> kinds_;
};

/// "Ethernet32" (SONiC), "swp17s0" (Cumulus), "et-0/0/1", "Eth1/1", "1/1/c3/1": not "eth4", "ens4".
bool is_switch_port(std::string_view name);

/// "leaf-1" of "dumps/leaf-1.json": dumps of one device do not name it, so their files must.
std::string device_of_file(std::string_view file);

}  // namespace topology
