#include "calibrate/seen_cluster.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "topology/node_names.hpp"

namespace calibrate {

namespace {

/// The GPUs of a host: the most that any run used there.
struct Host {
  std::string gpu;
  int gpus = 0;
};

std::map<std::string, Host> hosts_of(const std::vector<RunRecords>& runs) {
  std::map<std::string, Host> hosts;
  for (const RunRecords& records : runs) {
    if (records.run.machine.host.empty()) continue;  // imported from a tool that does not say
    Host& host = hosts[records.run.machine.host];
    std::set<std::string> different;
    for (const Device& device : records.run.devices) different.insert(device.identity);
    if (records.run.devices.empty()) continue;
    host.gpu = records.run.devices.front().name;
    host.gpus = std::max(host.gpus, static_cast<int>(different.size()));
  }
  return hosts;
}

}  // namespace

SeenCluster seen_cluster(const std::vector<RunRecords>& runs, const topology::FoundCluster& dump) {
  topology::NodeNames names;
  for (std::size_t i = 0; i < dump.nodes.size(); ++i) names.add(dump.nodes[i], i);
  SeenCluster out;
  for (const auto& [name, host] : hosts_of(runs)) {
    const std::optional<std::size_t> at = names.find(name);
    topology::FoundNode node;
    if (at) {
      node = dump.nodes[*at];
      out.told.nodes.push_back(node);
    } else {
      node.name = name;
    }
    if (!host.gpu.empty()) node.gpu = host.gpu;
    // A run may use fewer GPUs than there are, never more.
    if (host.gpus > node.gpus) node.gpus = host.gpus;
    out.seen.nodes.push_back(std::move(node));
  }
  out.unmeasured = static_cast<int>(dump.nodes.size() - out.told.nodes.size());
  return out;
}

}  // namespace calibrate
