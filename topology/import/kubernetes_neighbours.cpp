#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <unordered_map>

#include "topology/import/kubernetes_nics.hpp"
#include "topology/label_schemes.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Node;
using base::Severity;

struct Neighbour {
  std::string_view device;
  std::string_view port;

  bool operator==(const Neighbour&) const = default;
};

struct Interface {
  Neighbour expected;
  Neighbour current;
};

struct Neighbours {
  std::map<std::string_view, Interface> interfaces;
  bool checked = false;  ///< somebody reports what is there now
};

constexpr std::array<std::string_view, 2> prefixes{"backend.coreweave.cloud/neighbors.",
                                                   "ib.coreweave.cloud/neighbors."};

Neighbours neighbours_of(const Node* labels) {
  Neighbours found;
  if (labels == nullptr) return found;
  for (const Node::Entry& label : labels->entries) {
    std::string_view key = label.key;
    const auto prefix = std::find_if(prefixes.begin(), prefixes.end(),
                                     [&](std::string_view one) { return key.starts_with(one); });
    if (prefix == prefixes.end()) continue;
    key.remove_prefix(prefix->size());
    constexpr std::string_view expected = "expected.";
    constexpr std::string_view current = "current.";
    const bool now = key.starts_with(current);
    if (!now && !key.starts_with(expected)) continue;
    key.remove_prefix(now ? current.size() : expected.size());
    const std::size_t dot = key.rfind('.');
    const std::string_view what = dot == key.npos ? "" : key.substr(dot + 1);
    if (what != "device" && what != "port-id") continue;
    Interface& interface = found.interfaces[key.substr(0, dot)];
    Neighbour& neighbour = now ? interface.current : interface.expected;
    (what == "device" ? neighbour.device : neighbour.port) = label_value(labels, label.key);
    found.checked = found.checked || now;
  }
  return found;
}

/// "3200G" of a node with 8 cables is 400 Gbit/s each; 0: not told.
base::BytesPerSecond rate_of(const Node* labels, std::size_t cables) {
  for (const std::string_view key :
       {"backend.coreweave.cloud/speed.expected", "ib.coreweave.cloud/speed.expected",
        "ib.coreweave.cloud/speed"}) {
    const std::string_view text = label_value(labels, key);
    int gbit = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), gbit);
    if (error == std::errc() && std::string_view(end, text.data() + text.size()) == "G" &&
        gbit > 0 && gbit <= 1'000'000)
      return base::BytesPerSecond::from_gbit(static_cast<double>(gbit) /
                                             static_cast<double>(cables));
  }
  return {};
}

std::string words_of(const Neighbour& neighbour) {
  if (neighbour.device.empty()) return "nothing";
  return neighbour.port.empty() ? std::string(neighbour.device)
                                : fmt::format("{} port {}", neighbour.device, neighbour.port);
}

class Joiner {
 public:
  Joiner(const std::vector<GpuNode>& nodes, FoundCluster& cluster)
      : nodes_(nodes), cluster_(cluster) {
    for (std::size_t i = 0; i < cluster.switches.size(); ++i)
      switches_.emplace(cluster.switches[i].id, i);
  }

  void join() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const KubernetesNode& node = *nodes_[i].node;
      const Neighbours found = neighbours_of(node.labels);
      if (found.interfaces.empty()) continue;
      if (!found.checked)
        odd_.add(node, Severity::note, "whose cables are told as expected, not as they are");
      const base::BytesPerSecond rate = rate_of(node.labels, found.interfaces.size());
      for (const auto& [name, interface] : found.interfaces) {
        FoundNic nic;
        nic.name = name;
        nic.rate = rate;
        nic.role = FabricRole::compute;
        cluster_.nodes[i].nics.push_back(std::move(nic));
        add_cable(i, name, interface, found.checked, rate);
      }
    }
    odd_.report(cluster_.notes);
  }

 private:
  void add_cable(std::size_t i, std::string_view name, const Interface& interface, bool checked,
                 base::BytesPerSecond rate) {
    const KubernetesNode& node = *nodes_[i].node;
    const bool down = checked && interface.current.device.empty();
    const Neighbour& at = interface.current.device.empty() ? interface.expected : interface.current;
    if (at.device.empty()) return;  // a port without its device says nothing
    FoundCable cable;
    cable.a = {CableEnd::At::node, i, std::string(name), ""};
    cable.b = {CableEnd::At::fabric_switch, switch_of(at.device, node), "", std::string(at.port)};
    cable.rate = rate;
    cable.where = node.where;
    if (down) {
      cable.state = CableState::down;
      cable.trouble = fmt::format("no neighbour, expected {}", words_of(interface.expected));
      odd_.add(node, Severity::warning, "with cables that are down");
    } else if (checked && !interface.expected.device.empty() &&
               interface.expected != interface.current) {
      cable.trouble = fmt::format("miscabled: at {}, expected {}", words_of(interface.current),
                                  words_of(interface.expected));
      odd_.add(node, Severity::warning, "with cables that are not where they are expected");
    }
    cluster_.cables.push_back(std::move(cable));
  }

  std::size_t switch_of(std::string_view device, const KubernetesNode& node) {
    const auto [found, is_new] = switches_.emplace(device, cluster_.switches.size());
    if (is_new) {
      FoundSwitch one;
      one.id = device;
      one.tier = 1;
      one.role = FabricRole::compute;
      one.where = node.where;
      cluster_.switches.push_back(std::move(one));
    }
    return found->second;
  }

  const std::vector<GpuNode>& nodes_;
  FoundCluster& cluster_;
  std::unordered_map<std::string, std::size_t> switches_;  ///< by id; only looked up
  NodeTally odd_;
};

}  // namespace

void add_neighbours(const std::vector<GpuNode>& nodes, FoundCluster& cluster) {
  Joiner(nodes, cluster).join();
}

}  // namespace topology
