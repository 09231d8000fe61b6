#include "topology/summary.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace topology {

namespace {

constexpr std::array levels{DeviceKind::nic, DeviceKind::leaf, DeviceKind::spine, DeviceKind::core};

/// Rails that have leaves of their own; 0 in fabrics without rails.
int rails_of(const Cluster& cluster) {
  int rails = 0;
  for (DeviceId id = 0; id < cluster.device_count(); ++id)
    if (cluster.device(id).kind == DeviceKind::leaf)
      rails = std::max(rails, cluster.device(id).rail + 1);
  return rails;
}

}  // namespace

std::string grouped(std::int64_t number) {
  const std::string digits = std::to_string(number);
  const std::size_t sign = digits.front() == '-' ? 1 : 0;
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > sign && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string summary(const Cluster& cluster) {
  struct Pool {
    std::string_view type;
    std::string_view gpu;
    int nodes = 0;
    int gpus = 0;
  };
  std::vector<Pool> pools;  // in the order of the nodes
  for (const NodeInfo& node : cluster.nodes()) {
    auto pool = std::find_if(pools.begin(), pools.end(), [&](const Pool& one) {
      return one.type == node.type->name && one.gpu == node.type->gpu;
    });
    if (pool == pools.end()) pool = pools.insert(pool, {node.type->name, node.type->gpu});
    ++pool->nodes;
    pool->gpus += node.gpus;
  }
  std::vector<std::string> parts;
  for (const Pool& pool : pools)
    parts.push_back(fmt::format("{} x {} ({} x {})", grouped(pool.nodes), pool.type,
                                grouped(pool.gpus), pool.gpu));
  std::string text = fmt::format("{}", fmt::join(parts, " + "));
  if (cluster.nodes().size() > 1 && !cluster.fabric().empty()) text += ", " + cluster.fabric();
  const int rails = rails_of(cluster);
  if (cluster.nodes().size() > 1 && rails > 0) text += fmt::format(", {} rails", rails);
  return text;
}

std::vector<Tier> tiers(const Cluster& cluster) {
  std::map<std::pair<DeviceKind, DeviceKind>, Tier> by_kinds;
  for (LinkId id = 0; id < cluster.link_count(); ++id) {
    const Link& link = cluster.link(id);
    if (link.down) continue;
    const DeviceKind from = cluster.device(link.from).kind;
    const DeviceKind to = cluster.device(link.to).kind;
    const auto lower = std::find(levels.begin(), levels.end(), from);
    const auto upper = std::find(levels.begin(), levels.end(), to);
    if (lower >= upper || upper == levels.end()) continue;
    Tier& tier = by_kinds[{from, to}];
    tier.lower = from;
    tier.upper = to;
    ++tier.cables;
    tier.rate += link.rate;
  }
  std::vector<Tier> tiers;
  for (auto& [kinds, tier] : by_kinds) {
    base::BytesPerSecond below;
    for (const auto& [other, lower_tier] : by_kinds)
      if (other.second == kinds.first) below += lower_tier.rate;
    if (below > base::BytesPerSecond()) tier.oversubscription = below / tier.rate;
    tiers.push_back(tier);
  }
  return tiers;
}

}  // namespace topology
