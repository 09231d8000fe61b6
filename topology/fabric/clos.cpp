#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "topology/fabric/fabric.hpp"

namespace topology::fabric {

namespace {

/// The fewest switches that offer `cables` ports and over which `uplinks` cables of one lower
/// switch spread evenly, at least one to each; nothing if even one cable to each is too few.
std::optional<int> fewest_switches(double cables, int ports, int uplinks) {
  for (int count = std::max(1, ceil_of(cables / ports)); count <= uplinks; ++count)
    if (uplinks % count == 0) return count;
  return std::nullopt;
}

/// Spreads the `uplinks` of the `index`-th lower switch over all upper ones; a remainder goes to
/// other switches for each lower one, so that upper switches are filled evenly.
void spread(const Site& site, DeviceId lower, int index, int uplinks,
            const std::vector<DeviceId>& uppers) {
  const int count = static_cast<int>(uppers.size());
  const int rest = uplinks % count;
  const int first = static_cast<int>((static_cast<long long>(index) * rest) % count);
  for (int i = 0; i < count; ++i) {
    const bool extra = (i - first + count) % count < rest;
    site.trunk(lower, uppers[static_cast<std::size_t>(i)], uplinks / count + (extra ? 1 : 0));
  }
}

/// Switches above the leaves that have been made in all planes, for their names.
struct Made {
  int spines = 0;
  int cores = 0;
};

std::vector<DeviceId> add_switches(const Site& site, DeviceKind kind, int count, int& made) {
  std::vector<DeviceId> switches;
  for (int i = 0; i < count; ++i)
    switches.push_back(
        add_device(site.graph, kind,
                   fmt::format("{}-{}", kind == DeviceKind::spine ? "spine" : "core", made++)));
  return switches;
}

/// Cables of one leaf to the level above; 0 and an error when it has too few ports.
int leaf_uplinks(const Site& site, int down) {
  const FabricSpec& fabric = site.spec.fabric;
  const double up_for_one = site.port_rate() / (site.uplink_rate() * fabric.oversubscription);
  const int up = std::max(1, ceil_of(down * up_for_one));
  if (down + up <= fabric.switch_ports) return up;
  site.error(fmt::format("a leaf needs {} ports to NICs and {} to spines, but 'switch_ports' is {}",
                         down, up, fabric.switch_ports),
             "lower 'nodes_per_leaf', or raise 'switch_ports' or 'oversubscription'");
  return 0;
}

/// Two levels: every leaf reaches every spine. \returns false when that needs more ports.
bool join_by_spines(const Site& site, const std::vector<DeviceId>& leaves, int uplinks,
                    Made& made) {
  const FabricSpec& fabric = site.spec.fabric;
  const double cables = static_cast<double>(leaves.size()) * uplinks;
  const int count = fabric.spines > 0
                        ? fabric.spines
                        : fewest_switches(cables, fabric.switch_ports, uplinks).value_or(0);
  if (count == 0) return false;
  if (count > uplinks) {
    site.error(fmt::format("'spines' is {}, but a leaf has {} uplinks", count, uplinks),
               "a leaf needs a cable to each spine; use 'leaves_per_pod' for a third level");
    return true;
  }
  if (ceil_of(cables / count) > fabric.switch_ports) {
    site.error(
        fmt::format("{} leaves with {} uplinks need {} ports on each of {} spines, but "
                    "'switch_ports' is {}",
                    leaves.size(), uplinks, ceil_of(cables / count), count, fabric.switch_ports),
        "raise 'spines'");
    return true;
  }
  const std::vector<DeviceId> spines = add_switches(site, DeviceKind::spine, count, made.spines);
  for (std::size_t i = 0; i < leaves.size(); ++i)
    spread(site, leaves[i], static_cast<int>(i), uplinks, spines);
  return true;
}

/// The sizes of a fabric of pods. The i-th spine of each pod meets those of the other pods in the
/// i-th group of cores.
struct Pods {
  int leaves = 0;  ///< of a pod
  int count = 0;
  int spines = 0;  ///< of a pod
  int spine_uplinks = 0;
  int cores = 0;  ///< of a group
};

std::optional<Pods> size_pods(const Site& site, int leaves, int uplinks) {
  const FabricSpec& fabric = site.spec.fabric;
  const double up_for_one = 1 / fabric.core_oversubscription;
  const int down_max = static_cast<int>(fabric.switch_ports / (1 + up_for_one) + 1e-9);
  Pods pods;
  pods.leaves = fabric.leaves_per_pod > 0 ? fabric.leaves_per_pod : std::max(1, down_max);
  pods.count = (leaves + pods.leaves - 1) / pods.leaves;
  const double cables = static_cast<double>(pods.leaves) * uplinks;
  pods.spines = fabric.spines > 0
                    ? fabric.spines
                    : fewest_switches(cables, std::max(1, down_max), uplinks).value_or(0);
  const int spine_down = pods.spines > 0 ? ceil_of(cables / pods.spines) : 0;
  pods.spine_uplinks = std::max(1, ceil_of(spine_down * up_for_one));
  if (pods.spines == 0 || pods.spines > uplinks ||
      spine_down + pods.spine_uplinks > fabric.switch_ports) {
    site.error(fmt::format("a pod of {} leaves with {} uplinks each is too large for spines of {} "
                           "ports",
                           pods.leaves, uplinks, fabric.switch_ports),
               fmt::format("'leaves_per_pod' can be {} at most", down_max));
    return std::nullopt;
  }
  const double core_cables = static_cast<double>(pods.count) * pods.spine_uplinks;
  pods.cores = fewest_switches(core_cables, fabric.switch_ports, pods.spine_uplinks).value_or(0);
  if (pods.cores == 0) {
    site.error(fmt::format("{} pods are too many for core switches of {} ports", pods.count,
                           fabric.switch_ports),
               "raise 'switch_ports' or an oversubscription");
    return std::nullopt;
  }
  return pods;
}

void join_by_pods(const Site& site, const std::vector<DeviceId>& leaves, int uplinks, Made& made) {
  const std::optional<Pods> pods = size_pods(site, static_cast<int>(leaves.size()), uplinks);
  if (!pods) return;
  std::vector<std::vector<DeviceId>> spines;
  for (int pod = 0; pod < pods->count; ++pod)
    spines.push_back(add_switches(site, DeviceKind::spine, pods->spines, made.spines));
  for (std::size_t i = 0; i < leaves.size(); ++i)
    spread(site, leaves[i], static_cast<int>(i), uplinks,
           spines[i / static_cast<std::size_t>(pods->leaves)]);
  if (pods->count == 1) return;
  for (int group = 0; group < pods->spines; ++group) {
    const std::vector<DeviceId> cores =
        add_switches(site, DeviceKind::core, pods->cores, made.cores);
    for (int pod = 0; pod < pods->count; ++pod)
      spread(site, spines[static_cast<std::size_t>(pod)][static_cast<std::size_t>(group)], pod,
             pods->spine_uplinks, cores);
  }
  site.note(fmt::format("{} leaves are joined by {} spines in {} pods and {} core switches",
                        leaves.size(), pods->count * pods->spines, pods->count,
                        pods->spines * pods->cores));
}

}  // namespace

Leaves::Leaves(const Site& site)
    : site_(site), planes_(static_cast<std::size_t>(site.spec.fabric.planes)) {}

DeviceId Leaves::add(int port, int rail) {
  const DeviceId leaf =
      add_device(site_.graph, DeviceKind::leaf, fmt::format("leaf-{}", made_++), -1, rail);
  planes_[static_cast<std::size_t>(port) % planes_.size()].push_back(leaf);
  return leaf;
}

void Leaves::join(int down) const {
  if (planes_.front().size() < 2) return;
  const int uplinks = leaf_uplinks(site_, down);
  if (uplinks == 0 || !site_.affordable(static_cast<double>(made_) * uplinks)) return;
  Made made;
  for (const std::vector<DeviceId>& leaves : planes_) {
    if (site_.spec.fabric.leaves_per_pod > 0 || !join_by_spines(site_, leaves, uplinks, made))
      join_by_pods(site_, leaves, uplinks, made);
    if (base::has_errors(site_.problems)) return;  // the other planes would have the same
  }
}

}  // namespace topology::fabric
