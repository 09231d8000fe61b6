#include "topology/difference.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/name_table.hpp"
#include "base/quantity.hpp"
#include "topology/found_cluster_names.hpp"
#include "topology/node_names.hpp"

namespace topology {

namespace {

std::string or_unknown(const std::string& text) { return text.empty() ? "unknown" : text; }
std::string or_unknown(int number) { return number < 0 ? "unknown" : std::to_string(number); }

std::string state_of(const FoundCable& cable) {
  const std::string_view state = base::name_in(cable_state_names, cable.state);
  return cable.rate > base::BytesPerSecond()
             ? fmt::format("{}, {}", state, base::format_gbit(cable.rate))
             : std::string(state);
}

class Differ {
 public:
  Differ(const FoundCluster& before, const FoundCluster& after) : before_(before), after_(after) {}

  std::vector<Change> run() {
    compare_nodes();
    compare_switches();
    compare_cables();
    std::stable_sort(out_.begin(), out_.end(),
                     [](const Change& a, const Change& b) { return a.kind < b.kind; });
    return std::move(out_);
  }

 private:
  void say(std::string kind, std::string what, std::vector<std::string> devices) {
    out_.push_back({std::move(kind), std::move(what), std::move(devices)});
  }

  void compare_nodes() {
    NodeNames names;
    for (std::size_t i = 0; i < after_.nodes.size(); ++i) names.add(after_.nodes[i], i);
    std::set<std::size_t> matched;
    for (const FoundNode& node : before_.nodes) {
      const std::optional<std::size_t> at = names.find(node);
      if (!at || !matched.insert(*at).second) {
        say("node gone", node.name, {node.name});
        continue;
      }
      now_name_[node.name] = after_.nodes[*at].name;
      compare(node, after_.nodes[*at]);
    }
    for (std::size_t i = 0; i < after_.nodes.size(); ++i)
      if (!matched.contains(i)) say("node new", after_.nodes[i].name, {after_.nodes[i].name});
  }

  void compare(const FoundNode& a, const FoundNode& b) {
    const auto changed = [&](const std::string& kind, const auto& was, const auto& is) {
      if (was != is)
        say(kind, fmt::format("{}: {} -> {}", b.name, or_unknown(was), or_unknown(is)), {b.name});
    };
    changed("node type", a.type, b.type);
    changed("GPU", a.gpu, b.gpu);
    changed("number of GPUs", a.gpus, b.gpus);
    changed("usable GPUs", a.usable_gpus, b.usable_gpus);
    changed("free GPUs", a.free_gpus, b.free_gpus);
    if (a.unavailable != b.unavailable)
      say("availability",
          fmt::format("{}: {} -> {}", b.name, a.unavailable.empty() ? "available" : a.unavailable,
                      b.unavailable.empty() ? "available" : b.unavailable),
          {b.name});
    changed("place", fmt::format("{}", fmt::join(a.domains, "/")),
            fmt::format("{}", fmt::join(b.domains, "/")));
    changed("NVLink domain", a.accelerator_domain, b.accelerator_domain);
    changed("NVLink partition", a.accelerator_partition, b.accelerator_partition);
    changed("NICs", static_cast<int>(a.nics.size()), static_cast<int>(b.nics.size()));
  }

  void compare_switches() {
    std::set<std::string> was;
    std::set<std::string> is;
    for (const FoundSwitch& one : before_.switches) was.insert(one.id);
    for (const FoundSwitch& one : after_.switches) is.insert(one.id);
    for (const std::string& id : was)
      if (!is.contains(id)) say("switch gone", id, {id});
    for (const std::string& id : is)
      if (!was.contains(id)) say("switch new", id, {id});
  }

  std::string device_at(const CableEnd& end, const FoundCluster& cluster, bool earlier) const {
    if (end.at != CableEnd::At::node) return cluster.switches[end.index].id;
    const std::string& name = cluster.nodes[end.index].name;
    const auto now = now_name_.find(name);
    return earlier && now != now_name_.end() ? now->second : name;
  }

  std::string end_text(const CableEnd& end, const FoundCluster& cluster, bool earlier) const {
    std::string text = device_at(end, cluster, earlier);
    if (!end.nic.empty()) text += " " + end.nic;
    if (!end.port.empty()) text += ":" + end.port;
    return text;
  }

  struct Parallel {
    std::vector<std::string> devices;  // at both ends
    std::vector<std::string> states;
  };

  /// Cables by both ends; parallel ones without ports are told apart by nothing but their number.
  std::map<std::string, Parallel> cables_of(const FoundCluster& cluster, bool earlier) const {
    std::map<std::string, Parallel> cables;
    for (const FoundCable& cable : cluster.cables) {
      const auto [a, b] =
          std::minmax({end_text(cable.a, cluster, earlier), end_text(cable.b, cluster, earlier)});
      Parallel& all = cables[fmt::format("{} -> {}", a, b)];
      all.devices = {device_at(cable.a, cluster, earlier), device_at(cable.b, cluster, earlier)};
      all.states.push_back(state_of(cable));
    }
    for (auto& [ends, all] : cables) std::sort(all.states.begin(), all.states.end());
    return cables;
  }

  void compare_cables() {
    const auto was = cables_of(before_, true);
    const auto is = cables_of(after_, false);
    for (const auto& [ends, all] : was) {
      const auto now = is.find(ends);
      if (now == is.end())
        say("cable gone", ends, all.devices);
      else if (now->second.states.size() != all.states.size())
        say("cables",
            fmt::format("{}: {} -> {}", ends, all.states.size(), now->second.states.size()),
            all.devices);
      else if (now->second.states != all.states)
        say("cable state",
            fmt::format("{}: {} -> {}", ends, fmt::join(all.states, "; "),
                        fmt::join(now->second.states, "; ")),
            all.devices);
    }
    for (const auto& [ends, all] : is)
      if (!was.contains(ends)) say("cable new", ends, all.devices);
  }

  const FoundCluster& before_;
  const FoundCluster& after_;
  std::map<std::string, std::string> now_name_;  ///< of nodes, by their earlier name
  std::vector<Change> out_;
};

}  // namespace

std::vector<Change> difference(const FoundCluster& before, const FoundCluster& after) {
  return Differ(before, after).run();
}

}  // namespace topology
