#include "topology/faults.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "topology/attachments.hpp"
#include "topology/routes.hpp"
#include "topology/summary.hpp"
#include "topology/switch_graph.hpp"

namespace topology {

namespace {

/// "a -> b", or "a -> b #2".
struct CableName {
  std::string_view from;
  std::string_view to;
  std::string_view which;  ///< of parallel ones; empty: all
};

std::optional<CableName> parse_cable(std::string_view name) {
  constexpr std::string_view arrow = " -> ";
  const std::size_t at = name.find(arrow);
  if (at == std::string_view::npos) return std::nullopt;
  CableName cable{name.substr(0, at), name.substr(at + arrow.size()), {}};
  if (const std::size_t mark = cable.to.rfind(" #"); mark != std::string_view::npos) {
    cable.which = cable.to.substr(mark + 2);
    cable.to = cable.to.substr(0, mark);
  }
  return cable;
}

/// As a shell matches paths: `*` stands for any text without '/'. Goes back only to the last `*`,
/// so that it takes at most the product of both lengths.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != std::string_view::npos && text[resume] != '/') {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

/// "a, b, c, d, ...": the first few of many.
std::string few(const std::vector<std::string>& names) {
  constexpr std::size_t most = 4;
  const std::vector<std::string> shown(
      names.begin(), names.begin() + static_cast<long>(std::min(most, names.size())));
  return fmt::format("{}{}", fmt::join(shown, ", "), names.size() > most ? ", ..." : "");
}

class Faults {
 public:
  Faults(Graph& graph, base::Diagnostics& problems) : graph_(graph), problems_(problems) {
    for (DeviceId id = 0; id < boost::num_vertices(graph); ++id)
      by_name_.emplace(graph[id].name, id);
  }

  void apply(const CableFault& fault) {
    std::vector<DeviceId> devices = devices_of(fault.name);
    if (!devices.empty()) {
      for (const DeviceId device : devices)
        for (auto [edge, end] = boost::out_edges(device, graph_); edge != end; ++edge)
          hit(graph_[*edge].id, fault);
      return;
    }
    const std::optional<CableName> cable = parse_cable(fault.name);
    if (cable)
      apply_to_cable(*cable, fault);
    else
      unknown(fault, fault.name);
  }

  void note(const base::SourceRef& where, base::Diagnostics& notes) const {
    std::vector<std::string> down;
    std::vector<std::string> degraded;
    for (const auto& [cable, left] : left_) {
      const Link& link = *graph_.links[cable];
      const std::string name =
          fmt::format("{} -> {}", graph_[link.from].name, graph_[link.to].name);
      if (left > 0)
        degraded.push_back(fmt::format("{} to {:.3g} %", name, 100 * left));
      else
        down.push_back(name);
    }
    const auto tell = [&](std::string_view what, const std::vector<std::string>& names) {
      if (names.empty()) return;
      notes.push_back({where,
                       fmt::format("cables {}: {} ({})", what,
                                   grouped(static_cast<std::int64_t>(names.size())), few(names)),
                       "", base::Severity::note});
    };
    tell("down", down);
    tell("degraded", degraded);
  }

  void mark() {
    for (const auto& [cable, left] : left_)
      for (const LinkId id : {cable, cable + 1}) {
        Link& link = *graph_.links[id];
        link.down = link.down || left <= 0;  // it may have been found so
        link.degraded = !link.down;
        if (left > 0) link.rate = link.rate * left;
      }
  }

 private:
  std::vector<DeviceId> devices_of(std::string_view name) const {
    std::vector<DeviceId> found;
    if (name.find('*') == std::string_view::npos) {
      if (const auto at = by_name_.find(name); at != by_name_.end()) found.push_back(at->second);
      return found;
    }
    for (DeviceId id = 0; id < boost::num_vertices(graph_); ++id)
      if (matches(name, graph_[id].name)) found.push_back(id);
    return found;
  }

  void hit(LinkId id, const CableFault& fault) {
    const auto [at, is_new] = left_.emplace(id & ~1U, fault.rate_left);
    at->second = std::min(at->second, fault.rate_left);
  }

  void apply_to_cable(const CableName& name, const CableFault& fault) {
    int which = 0;
    if (!name.which.empty()) {
      const char* const end = name.which.data() + name.which.size();
      const auto [stop, status] = std::from_chars(name.which.data(), end, which);
      if (status != std::errc() || stop != end || which < 1)
        return error(fault, fmt::format("'#{}' is no number of a parallel cable", name.which),
                     "they count from #1");
    }
    const std::vector<DeviceId> from = devices_of(name.from);
    const std::vector<DeviceId> to = devices_of(name.to);
    if (from.empty()) return unknown(fault, name.from);
    if (to.empty()) return unknown(fault, name.to);
    const std::set<DeviceId> ends(to.begin(), to.end());
    int most = 0;
    bool found = false;
    for (const DeviceId device : from) {
      std::map<DeviceId, int> seen;  // parallel cables to each end
      for (auto [edge, end] = boost::out_edges(device, graph_); edge != end; ++edge) {
        const Cable& cable = graph_[*edge];
        if (!ends.contains(cable.to)) continue;
        most = std::max(most, ++seen[cable.to]);
        if (which > 0 && seen[cable.to] != which) continue;
        hit(cable.id, fault);
        found = true;
      }
    }
    if (found) return;
    error(fault,
          most == 0 ? fmt::format("no cable joins '{}' and '{}'", name.from, name.to)
                    : fmt::format("there is no cable #{} between '{}' and '{}'", which, name.from,
                                  name.to),
          most == 0 ? "" : fmt::format("they are numbered up to #{}", most));
  }

  void error(const CableFault& fault, std::string message, std::string hint = {}) {
    problems_.push_back({fault.where, std::move(message), std::move(hint)});
  }

  void unknown(const CableFault& fault, std::string_view name) {
    constexpr std::size_t compared_max = 20'000;  // a near name is worth a moment, not seconds
    constexpr std::size_t told_max = 20;
    std::vector<std::string_view> names;
    for (DeviceId id = 0; id < boost::num_vertices(graph_) && problems_.size() < told_max; ++id)
      if (names.size() < compared_max || is_switch(graph_[id].kind))
        names.push_back(graph_[id].name);
    // Names of hosts say little about what may stand here: without a near one, the forms do.
    const std::string_view near = base::nearest(name, names);
    error(fault, fmt::format("there is no device '{}' in the cluster", name),
          near.empty() ? "for example node-0/nic-0, leaf-0, or leaf-0 -> spine-1"
                       : fmt::format("did you mean '{}'?", near));
  }

  Graph& graph_;
  base::Diagnostics& problems_;
  std::unordered_map<std::string_view, DeviceId> by_name_;
  std::map<LinkId, double> left_;  ///< share of the rate, by the first link of each cable
};

std::string name_of(const Cluster& cluster, GpuId gpu) {
  return cluster.device(cluster.gpu(gpu)).name;
}

/// GPUs whose ways out meet the same parts of the network behave alike: two of each, of different
/// scale-up domains where there are such, stand for all.
std::vector<GpuId> representatives(const Cluster& cluster, const Attachments& attachments) {
  std::map<std::set<std::uint32_t>, std::vector<GpuId>> alike;
  std::vector<GpuId> chosen;
  for (GpuId gpu = 0; gpu < static_cast<GpuId>(cluster.gpu_count()); ++gpu) {
    std::set<std::uint32_t> parts;
    const auto [first, end] = attachments.nics_of(gpu);
    for (NicId nic = first; nic < end; ++nic) {
      if (!attachments.works(gpu, nic)) continue;
      for (const Port& port : attachments.nic(nic).ports)
        if (port.wire != no_link) parts.insert(port.part);
    }
    std::vector<GpuId>& group = alike[std::move(parts)];
    if (group.size() > 1 || (group.size() == 1 && cluster.same_scale_up_domain(group[0], gpu)))
      continue;
    group.push_back(gpu);
    chosen.push_back(gpu);
  }
  return chosen;
}

/// The GPUs of scale-up domains in which a cable of a GPU is down, by domain.
std::map<int, std::vector<GpuId>> broken_domains(const Cluster& cluster) {
  std::map<int, std::vector<GpuId>> domains;
  const auto domain_of = [&](int node) {
    return cluster.nodes()[static_cast<std::size_t>(node)].accelerator_domain;
  };
  for (LinkId id = 0; id < cluster.link_count(); ++id) {
    const Link& link = cluster.link(id);
    const Device& from = cluster.device(link.from);
    if (link.down && from.kind == DeviceKind::gpu) domains[domain_of(from.node)];
  }
  for (GpuId gpu = 0; gpu < static_cast<GpuId>(cluster.gpu_count()); ++gpu)
    if (const auto at = domains.find(domain_of(cluster.node_of(gpu))); at != domains.end())
      at->second.push_back(gpu);
  return domains;
}

/// The first two GPUs of `gpus` without a path between them.
std::optional<std::pair<GpuId, GpuId>> apart(const Router& router, const std::vector<GpuId>& gpus) {
  std::vector<Route> routes;
  for (std::size_t i = 0; i < gpus.size(); ++i)
    for (std::size_t j = i + 1; j < gpus.size(); ++j) {
      routes.clear();
      if (!router.route(gpus[i], gpus[j], routes)) return std::pair(gpus[i], gpus[j]);
    }
  return std::nullopt;
}

}  // namespace

void apply_faults(Graph& graph, const ClusterSpec& spec, base::Diagnostics& problems,
                  base::Diagnostics& notes) {
  if (spec.faults.empty()) return;
  Faults faults(graph, problems);
  for (const CableFault& fault : spec.faults) faults.apply(fault);
  faults.mark();
  faults.note(spec.faults.front().where, notes);
}

void check_reach(const Cluster& cluster, const ClusterSpec& spec, base::Diagnostics& problems,
                 base::Diagnostics& notes) {
  const auto down = std::find_if(spec.faults.begin(), spec.faults.end(),
                                 [](const CableFault& fault) { return fault.rate_left <= 0; });
  const bool as_found = down == spec.faults.end();
  if (as_found && spec.cabling.switches.empty()) return;
  const base::SourceRef& where = as_found ? spec.where : down->where;
  const SwitchGraph switches(cluster);
  const Attachments attachments(cluster, switches);
  const Router router(cluster, {});
  std::optional<std::pair<GpuId, GpuId>> pair =
      apart(router, representatives(cluster, attachments));
  for (const auto& [domain, gpus] : broken_domains(cluster))
    if (!pair) pair = apart(router, gpus);
  if (pair) {
    problems.push_back({where,
                        fmt::format("the cables {} leave no path from {} to {}",
                                    as_found ? "as they were found" : "that are down",
                                    name_of(cluster, pair->first), name_of(cluster, pair->second)),
                        "every GPU must reach every other one"});
    return;
  }
  std::vector<std::string> displaced;
  for (GpuId gpu = 0; gpu < static_cast<GpuId>(cluster.gpu_count()); ++gpu)
    if (attachments.displaced(gpu)) displaced.push_back(name_of(cluster, gpu));
  if (displaced.empty()) return;
  notes.push_back(
      {where,
       fmt::format("GPUs that use another NIC of their node, for theirs {}: {} ({})",
                   as_found ? "has no cable that is up" : "is down",
                   grouped(static_cast<std::int64_t>(displaced.size())), few(displaced)),
       "", base::Severity::note});
}

}  // namespace topology
