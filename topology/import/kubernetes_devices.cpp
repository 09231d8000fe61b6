#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <unordered_map>

#include "topology/import/kubernetes_nics.hpp"
#include "topology/import/pod_job.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Node;
using base::Severity;

constexpr std::string_view gpu_driver = "gpu.nvidia.com";
constexpr std::string_view nic_driver = "dra.net";
/// More than any node has.
constexpr std::size_t gpus_max = 1024;

/// A device of a ResourceSlice. Until v1beta1 its attributes stand under `basic`.
struct Device {
  const Node* node = nullptr;
  std::string_view driver;

  std::string_view name() const { return text_at(node, "name"); }
  /// An attribute of the driver's own or, with a '/', of another domain. It has one value, whatever
  /// its type.
  std::string_view attribute(std::string_view key) const {
    const Node* basic = map_at(node, "basic");
    const Node* all = map_at(basic != nullptr ? basic : node, "attributes");
    const Node* value = map_at(all, key);
    if (value == nullptr) value = map_at(all, fmt::format("{}/{}", driver, key));
    if (value == nullptr || value->entries.empty()) return {};
    const Node& told = value->entries.front().value;
    return told.kind == Node::Kind::scalar ? std::string_view(told.text) : std::string_view();
  }
  std::string_view pcie_root() const { return attribute("resource.kubernetes.io/pcieRoot"); }
};

int number_of(std::string_view text) {
  int number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

struct NodeDevices {
  std::vector<Device> gpus;
  std::vector<Device> nics;
};

/// Devices of each node, of the newest generation of each pool.
std::map<std::string_view, NodeDevices> devices_of(const KubernetesObjects& objects) {
  std::map<std::pair<std::string_view, std::string_view>, int> newest;
  const auto pool_of = [](const Node* spec) {
    return std::pair(text_at(spec, "driver"), text_at(map_at(spec, "pool"), "name"));
  };
  const auto generation_of = [](const Node* spec) {
    return number_of(text_at(map_at(spec, "pool"), "generation"));
  };
  const auto slices = objects.of("resource.k8s.io", "ResourceSlice");
  for (const KubernetesObject* slice : slices) {
    const Node* spec = map_at(slice->node, "spec");
    const auto [known, is_new] = newest.emplace(pool_of(spec), generation_of(spec));
    if (!is_new) known->second = std::max(known->second, generation_of(spec));
  }
  std::map<std::string_view, NodeDevices> nodes;
  for (const KubernetesObject* slice : slices) {
    const Node* spec = map_at(slice->node, "spec");
    const std::string_view node = text_at(spec, "nodeName");
    const std::string_view driver = text_at(spec, "driver");
    if (node.empty() || (driver != gpu_driver && driver != nic_driver) ||
        generation_of(spec) != newest[pool_of(spec)])
      continue;
    NodeDevices& devices = nodes[node];
    for (const Node& device : items_at(spec, "devices"))
      (driver == gpu_driver ? devices.gpus : devices.nics).push_back({&device, driver});
  }
  // Slices that MIG makes of a GPU are no GPUs.
  for (auto& [name, devices] : nodes)
    std::erase_if(devices.gpus, [](const Device& device) {
      const std::string_view type = device.attribute("type");
      return !type.empty() && type != "gpu";
    });
  return nodes;
}

/// Index in the node: the number in the name where each has one of its own, else the place.
std::vector<int> gpu_indices(const std::vector<Device>& gpus) {
  std::vector<int> numbers;
  for (const Device& gpu : gpus) numbers.push_back(trailing_number(gpu.name()));
  const std::set<int> distinct(numbers.begin(), numbers.end());
  const bool usable = distinct.size() == gpus.size() && *distinct.begin() == 0 &&
                      *distinct.rbegin() == static_cast<int>(gpus.size()) - 1;
  if (!usable)
    for (std::size_t i = 0; i < gpus.size(); ++i) numbers[i] = static_cast<int>(i);
  return numbers;
}

/// "400000 Mb/s"; 0 where the link is down, or it does not say.
base::BytesPerSecond link_rate(std::string_view text) {
  constexpr std::string_view unit = " Mb/s";
  const int mbit = text.ends_with(unit) ? number_of(text) : -1;
  return mbit > 0 && mbit <= 10'000'000 ? base::BytesPerSecond::from_gbit(mbit / 1000.0)
                                        : base::BytesPerSecond();
}

class Adder {
 public:
  explicit Adder(FoundCluster& cluster) : cluster_(cluster) {
    for (std::size_t i = 0; i < cluster.nodes.size(); ++i) {
      index_.emplace(cluster.nodes[i].name, i);
      for (std::size_t nic = 0; nic < cluster.nodes[i].nics.size(); ++nic)
        nics_.emplace(fmt::format("{}|{}", i, cluster.nodes[i].nics[nic].name), nic);
    }
  }

  void add_slices(const KubernetesObjects& objects) {
    for (const auto& [name, devices] : devices_of(objects)) {
      const auto node = index_.find(std::string(name));
      if (node == index_.end() || devices.nics.empty() || devices.gpus.size() > gpus_max) continue;
      const std::vector<int> indices =
          devices.gpus.empty() ? std::vector<int>() : gpu_indices(devices.gpus);
      for (const Device& device : devices.nics) {
        FoundNic& nic = nic_of(node->second, name_of(device), device.attribute("mac"));
        const std::string_view root = device.pcie_root();
        for (std::size_t i = 0; i < indices.size() && !root.empty(); ++i)
          if (devices.gpus[i].pcie_root() == root) nic.gpus.push_back(indices[i]);
        std::sort(nic.gpus.begin(), nic.gpus.end());
        nic.gpus.erase(std::unique(nic.gpus.begin(), nic.gpus.end()), nic.gpus.end());
      }
    }
  }

  void add_states(const KubernetesObjects& objects) {
    int down = 0;
    base::SourceRef first_down;
    for (const KubernetesObject* state :
         objects.of("sriovnetwork.openshift.io", "SriovNetworkNodeState")) {
      const auto node = index_.find(std::string(state->name));
      if (node == index_.end()) continue;
      for (const Node& interface : items_at(map_at(state->node, "status"), "interfaces")) {
        const std::string_view name = text_at(&interface, "name");
        if (name.empty()) continue;
        FoundNic& nic = nic_of(node->second, name, text_at(&interface, "mac"));
        nic.rate = link_rate(text_at(&interface, "linkSpeed"));
        if (text_at(&interface, "linkSpeed").starts_with("-") && down++ == 0)
          first_down = state->document->where(interface);
      }
    }
    if (down > 0)
      cluster_.notes.push_back(
          {first_down,
           fmt::format("{} without a link; their rate is unknown", count_of(down, "SR-IOV NIC")),
           "", Severity::warning});
  }

 private:
  /// The RDMA device is what NCCL and InfiniBand tools name it by.
  static std::string_view name_of(const Device& device) {
    for (const std::string_view key : {"rdmaDevice", "ifName"})
      if (const std::string_view name = device.attribute(key); !name.empty()) return name;
    return device.name();
  }

  /// The NIC of this name or this MAC, which is new where nobody told of it before.
  FoundNic& nic_of(std::size_t node, std::string_view name, std::string_view mac) {
    std::vector<FoundNic>& nics = cluster_.nodes[node].nics;
    const auto [known, is_new] = nics_.emplace(fmt::format("{}|{}", node, name), nics.size());
    std::size_t place = known->second;
    if (!mac.empty()) {
      const auto [same, is_new_mac] = nics_.emplace(fmt::format("{}|mac|{}", node, mac), place);
      if (is_new) place = known->second = same->second;
    }
    if (place == nics.size()) {
      nics.emplace_back();
      nics.back().name = name;
    }
    if (nics[place].id.empty()) nics[place].id = mac;
    return nics[place];
  }

  FoundCluster& cluster_;
  std::unordered_map<std::string, std::size_t> index_;  ///< of nodes by name; only looked up
  std::unordered_map<std::string, std::size_t> nics_;   ///< in their node; only looked up
};

}  // namespace

void count_slice_gpus(const KubernetesObjects& objects, std::vector<KubernetesNode>& nodes) {
  const auto devices = devices_of(objects);
  for (KubernetesNode& node : nodes) {
    const auto found = devices.find(node.name);
    if (found == devices.end() || found->second.gpus.empty()) continue;
    node.slice_gpus = static_cast<int>(found->second.gpus.size());
    node.slice_product = found->second.gpus.front().attribute("productName");
  }
}

void add_device_nics(const KubernetesObjects& objects, FoundCluster& cluster) {
  Adder adder(cluster);
  adder.add_slices(objects);
  adder.add_states(objects);
}

}  // namespace topology
