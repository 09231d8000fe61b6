#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "topology/fabric/fabric.hpp"

namespace topology::fabric {

namespace {

/// A switch of the tree. The same name under another parent is another switch: names of network
/// domains are not unique in real clusters, paths are.
struct Domain {
  std::string name;
  int parent = -1;
  int height = 1;              ///< 1: nodes are directly below
  base::BytesPerSecond below;  ///< raw rate of the NICs below
  std::map<std::string, int> children;
  DeviceId device = 0;
};

class Tree {
 public:
  explicit Tree(const Site& site) : site_(site) {
    domains_.push_back({"core"});  // above all roots; dropped when there is one root
    for (std::size_t node = 0; node < site.nics.size(); ++node) add_node(node);
  }

  void build() {
    note_shape();
    const int top = domains_[0].children.size() > 1 || has_direct_nodes_ ? 0 : 1;
    // Parents come before children in `domains_`, so heights settle from the back.
    for (std::size_t i = domains_.size(); i-- > 1;) {
      Domain& parent = domains_[static_cast<std::size_t>(domains_[i].parent)];
      parent.height = std::max(parent.height, domains_[i].height + 1);
      parent.below += domains_[i].below;
    }
    for (std::size_t i = static_cast<std::size_t>(top); i < domains_.size(); ++i) {
      Domain& domain = domains_[i];
      domain.device = add_device(site_.graph, kind_of(domain.height), path_of(domain));
      site_.graph[domain.device].tier = domain.height;  // a core may hang from another
      if (static_cast<int>(i) != top) join_to_parent(domain);
    }
    if (!site_.affordable(cables_)) return;
    for (std::size_t node = 0; node < site_.nics.size(); ++node)
      for (std::size_t nic = 0; nic < site_.nics[node].size(); ++nic)
        site_.attach(node, nic, domains_[home_[node]].device, -1);
  }

 private:
  static DeviceKind kind_of(int height) {
    return height == 1 ? DeviceKind::leaf : height == 2 ? DeviceKind::spine : DeviceKind::core;
  }

  std::string path_of(const Domain& domain) const {
    if (domain.parent <= 0) return domain.name;
    return path_of(domains_[static_cast<std::size_t>(domain.parent)]) + "/" + domain.name;
  }

  void add_node(std::size_t node) {
    std::size_t at = 0;
    std::size_t depth = 0;
    bool gap = false;
    for (const std::string& name : site_.spec.nodes[node].domains) {
      if (name.empty()) {
        gap = true;
        continue;
      }
      const auto [child, is_new] =
          domains_[at].children.emplace(name, static_cast<int>(domains_.size()));
      const auto next = static_cast<std::size_t>(child->second);
      if (is_new) domains_.push_back({name, static_cast<int>(at)});
      at = next;
      ++depth;
    }
    if (depth == 0)
      ++unplaced_, has_direct_nodes_ = true;
    else
      ++depths_[depth];
    if (gap && depth > 0) ++gaps_;
    home_.push_back(at);
    domains_[at].below += site_.type(node).nic_rate * static_cast<double>(site_.nics[node].size());
  }

  /// Without a given rate one ideal cable stands for all real ones, since their number is unknown.
  void join_to_parent(const Domain& domain) {
    const DeviceId parent = domains_[static_cast<std::size_t>(domain.parent)].device;
    const FabricSpec& fabric = site_.spec.fabric;
    const double above_leaf = domain.height == 1 ? 1 : fabric.core_oversubscription;
    const base::BytesPerSecond up = domain.below / (fabric.oversubscription * above_leaf);
    if (up <= base::BytesPerSecond()) return;  // no NIC below
    if (fabric.uplink_rate > base::BytesPerSecond()) {
      const int cables = std::max(1, ceil_of(up / fabric.uplink_rate));
      cables_ += cables;
      if (cables_ <= cables_max) site_.trunk(domain.device, parent, cables);
      return;
    }
    add_cable(site_.graph, domain.device, parent, up * site_.wire_efficiency(),
              fabric.switch_latency);
  }

  void note_shape() const {
    const FabricSpec& fabric = site_.spec.fabric;
    if (domains_.size() > 2 && fabric.uplink_rate <= base::BytesPerSecond())
      site_.note(fmt::format(
          "domains say nothing about rates: uplinks are assumed to carry what the NICs below do, "
          "divided by {:g}",
          fabric.oversubscription));
    if (domains_[0].children.size() > 1)
      site_.note(fmt::format("the network has {} roots: a core switch is assumed above them",
                             domains_[0].children.size()));
    if (depths_.size() > 1)
      site_.note(fmt::format("domain paths have {} to {} levels", depths_.begin()->first,
                             depths_.rbegin()->first));
    if (gaps_ > 0)
      site_.note(
          fmt::format("nodes whose domain path lacks a middle level: {}; they hang from the "
                      "levels they have",
                      gaps_));
    if (unplaced_ > 0)
      site_.note(
          fmt::format("nodes without a domain: {}; they hang from the top switch", unplaced_));
  }

  const Site& site_;
  std::vector<Domain> domains_;
  std::vector<std::size_t> home_;  ///< index of the lowest domain of each node
  std::map<std::size_t, int> depths_;
  double cables_ = 0;  ///< between switches
  int gaps_ = 0;
  int unplaced_ = 0;
  bool has_direct_nodes_ = false;
};

}  // namespace

void build_from_domains(const Site& site) { Tree(site).build(); }

}  // namespace topology::fabric
