#include "sim/engine/traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/check.hpp"
#include "sim/collectives/collectives.hpp"
#include "sim/engine/network.hpp"

namespace sim::engine {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::uint64_t pair_of(std::uint32_t from, std::uint32_t to) {
  return (static_cast<std::uint64_t>(from) << 32) | to;
}

/// Adds up a slot's demand on links and keeps the largest of its operations.
class SlotDemand {
 public:
  explicit SlotDemand(std::size_t links) : now_(links, 0), most_(links, 0) {}

  void add(std::uint32_t link, double rate) {
    if (now_[link] == 0) touched_now_.push_back(link);
    now_[link] += rate;
  }
  void end_operation() {
    for (const std::uint32_t link : touched_now_) {
      if (most_[link] == 0) touched_.push_back(link);
      most_[link] = std::max(most_[link], now_[link]);
      now_[link] = 0;
    }
    touched_now_.clear();
  }
  void end_slot(std::vector<double>& demand) {
    for (const std::uint32_t link : touched_) {
      demand[link] += most_[link];
      most_[link] = 0;
    }
    touched_.clear();
  }

 private:
  std::vector<double> now_;
  std::vector<double> most_;
  std::vector<std::uint32_t> touched_now_;
  std::vector<std::uint32_t> touched_;
};

}  // namespace

Traffic::Traffic(const StepGraph& graph, const Script& script, const Fabric& fabric,
                 const std::vector<topology::GpuId>& gpu_of_rank, bool inside_domains)
    : graph_(graph),
      script_(script),
      fabric_(fabric),
      gpu_of_rank_(gpu_of_rank),
      inside_domains_(inside_domains) {
  find_patterns();
  for (std::uint32_t p = 0; p < patterns_.size(); ++p) {
    const std::uint32_t groups = script.communicators()[at(patterns_[p].communicators)].groups();
    for (std::uint32_t group = 0; group < groups; ++group) add_flows(p, group);
    patterns_[p].first_flow.push_back(static_cast<std::uint32_t>(flows_.size()));
  }
  first_message_flow_ = flows_.size();
  add_messages();
}

/// A number that ranks agree on holds nobody up and is not on the network for its bytes' sake; as
/// flows it would be thousands at once that all end together.
constexpr std::int64_t scalar_bytes = 4;

void Traffic::find_patterns() {
  pattern_of_.resize(graph_.collectives.size());
  for (std::uint32_t use = 0; use < graph_.collectives.size(); ++use) {
    const CollectiveUse& what = graph_.collectives[use];
    const StepGraph::Groups* groups =
        script_.communicators()[at(script_.of_collective(use))].shapes;
    for (std::size_t shape = 0; shape < what.cost.size(); ++shape) {
      const bool flows = script_.talks(static_cast<std::int32_t>(use)) &&
                         what.cost[shape].wire_time() > 0 && what.bytes.count() > scalar_bytes &&
                         (inside_domains_ || groups->shapes[shape].nodes > 1);
      pattern_of_[use].push_back(flows ? pattern_for(use, what.cost[shape].algorithm) : -1);
    }
  }
}

int Traffic::pattern_for(std::uint32_t use, calibrate::CollectiveAlgorithm algorithm) {
  const CollectiveUse& what = graph_.collectives[use];
  const int communicators = script_.of_collective(use);
  const auto known = std::find_if(patterns_.begin(), patterns_.end(), [&](const Pattern& p) {
    const CollectiveUse& example = graph_.collectives[p.example];
    return p.communicators == communicators && p.op == what.op && p.algorithm == algorithm &&
           example.shares == what.shares && (example.bytes.count() > 0) == (what.bytes.count() > 0);
  });
  if (known != patterns_.end()) return static_cast<int>(known - patterns_.begin());
  patterns_.push_back({communicators, what.op, algorithm, use, {}});
  return static_cast<int>(patterns_.size() - 1);
}

/// Flows of a group that sends in this way; none for one that does not.
void Traffic::add_flows(std::uint32_t pattern, std::uint32_t group) {
  Pattern& what = patterns_[pattern];
  what.first_flow.push_back(static_cast<std::uint32_t>(flows_.size()));
  const Script::Communicators& of_axes = script_.communicators()[at(what.communicators)];
  bool used = false;
  for (std::uint32_t use = what.example; use < graph_.collectives.size() && !used; ++use)
    used = script_.of_collective(use) == what.communicators &&
           pattern_of(use, group) == static_cast<int>(pattern);
  if (!used) return;
  const std::span<const int> members = of_axes.members_of(group);
  std::vector<collectives::Member> places;
  for (const int rank : members) {
    const topology::GpuId gpu = gpu_of_rank_[at(rank)];
    places.push_back({fabric_.domain_of_gpu[gpu], fabric_.rail_of_gpu[gpu]});
  }
  const CollectiveUse& example = graph_.collectives[what.example];
  const collectives::Expansion expansion =
      collectives::algorithm(what.algorithm)
          .expand({what.op, example.bytes, example.shares}, places);
  std::vector<collectives::Flow> meshed;
  for (const collectives::Flow& flow : expansion.flows) {
    const int from = members[at(flow.from)];
    const bool inside = places[at(flow.from)].domain == places[at(flow.to)].domain;
    if (inside && !inside_domains_) continue;
    // An exchange of pairs uses all links of a mesh as it is.
    if (inside && fabric_.meshed_gpu[gpu_of_rank_[at(from)]] &&
        what.algorithm != calibrate::CollectiveAlgorithm::direct)
      meshed.push_back(flow);
    else
      add_flow(from, members[at(flow.to)], flow.bytes.as_double());
  }
  if (!meshed.empty()) add_meshed(members, meshed);
}

/// In a mesh the libraries lay as many rings (or trees) as members have links, each through another
/// neighbour first: what a member sends inside its domain is spread over all others there, by what
/// they receive.
void Traffic::add_meshed(std::span<const int> members, std::span<const collectives::Flow> flows) {
  std::map<int, std::vector<int>> domains;  // positions of members
  for (int i = 0; i < static_cast<int>(members.size()); ++i)
    domains[fabric_.domain_of_gpu[gpu_of_rank_[at(members[at(i)])]]].push_back(i);
  std::vector<double> sent(members.size(), 0);
  std::vector<double> received(members.size(), 0);
  for (const collectives::Flow& flow : flows) {
    sent[at(flow.from)] += flow.bytes.as_double();
    received[at(flow.to)] += flow.bytes.as_double();
  }
  for (const auto& [domain, here] : domains) {
    double all = 0;
    for (const int i : here) all += received[at(i)];
    for (const int from : here)
      for (const int to : here) {
        const double others = all - received[at(from)];
        if (from == to || sent[at(from)] == 0 || received[at(to)] == 0) continue;
        add_flow(members[at(from)], members[at(to)], sent[at(from)] * received[at(to)] / others);
      }
  }
}

void Traffic::add_messages() {
  for (int rank = 0; rank < graph_.grid.size(); ++rank)
    for (const std::uint32_t index : script_.messages_sent(rank)) {
      const int peer = peer_of(rank, graph_.messages[index]);
      const bool flows = peer != rank && (inside_domains_ || !same_domain(rank, peer));
      const auto key = pair_of(static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(peer));
      if (!flows || message_.contains(key)) continue;
      const auto first = static_cast<std::uint32_t>(flows_.size());
      add_flow(rank, peer, 1);
      message_.emplace(key, std::pair(first, static_cast<std::uint32_t>(flows_.size())));
    }
}

void Traffic::add_flow(int from, int to, double bytes) {
  const auto [first, end] = paths_between(from, to);
  for (std::uint32_t path = first; path < end; ++path)
    flows_.push_back({from, to, path, bytes * share_[path]});
}

std::pair<std::uint32_t, std::uint32_t> Traffic::paths_between(int from, int to) {
  const topology::GpuId source = gpu_of_rank_[at(from)];
  const topology::GpuId target = gpu_of_rank_[at(to)];
  CHECK_INVARIANT(source != target);
  const auto first = static_cast<std::uint32_t>(paths_.size());
  const auto [known, fresh] = between_.try_emplace(pair_of(source, target));
  if (!fresh) return known->second;
  found_.clear();
  if (!fabric_.route(source, target, found_))
    throw base::EnvironmentError(
        fmt::format("the cluster has no path from GPU {} to GPU {}", source, target));
  for (const topology::Route& route : found_) {
    CHECK_INVARIANT(!route.hops.empty());
    paths_.push_back(
        {static_cast<std::uint32_t>(hops_.size()), static_cast<std::uint32_t>(route.hops.size())});
    share_.push_back(route.share);
    for (std::size_t i = 0; i < route.hops.size(); ++i) {
      hops_.push_back(route.hops[i]);
      carries_.push_back(i == 0 || !contains(route.hops[i], route.hops[i - 1]));
    }
  }
  known->second = {first, static_cast<std::uint32_t>(paths_.size())};
  return known->second;
}

/// Whether a bundle is a larger one that a transfer shares in, beside the smaller that it uses.
bool Traffic::contains(std::uint32_t hop, std::uint32_t before) const {
  const std::size_t links = fabric_.link_rate.size();
  if (hop < links || before == hop) return false;
  const std::vector<topology::LinkId>& all = fabric_.bundles()[hop - links].links;
  const auto has = [&](topology::LinkId link) {
    return std::binary_search(all.begin(), all.end(), link);
  };
  if (before < links) return has(before);
  const std::vector<topology::LinkId>& part = fabric_.bundles()[before - links].links;
  return std::all_of(part.begin(), part.end(), has);
}

int Traffic::peer_of(int rank, const Message& message) const {
  return graph_.grid.moved(rank, strategies::Axis::pipeline, message.peer_stage);
}

bool Traffic::same_domain(int a, int b) const {
  return fabric_.domain_of_gpu[gpu_of_rank_[at(a)]] == fabric_.domain_of_gpu[gpu_of_rank_[at(b)]];
}

int Traffic::pattern_of(std::uint32_t use, std::uint32_t group) const {
  const StepGraph::Groups* groups = script_.communicators()[at(script_.of_collective(use))].shapes;
  return pattern_of_[use][groups->shape_of_group[group]];
}

std::span<const Traffic::Flow> Traffic::flows_of(int pattern, std::uint32_t group) const {
  const std::vector<std::uint32_t>& first = patterns_[at(pattern)].first_flow;
  return {flows_.data() + first[group], first[group + 1] - first[group]};
}

double Traffic::scale(std::uint32_t use, int pattern) const {
  const std::uint32_t example = patterns_[at(pattern)].example;
  if (use == example) return 1;
  return graph_.collectives[use].bytes.as_double() / graph_.collectives[example].bytes.as_double();
}

std::span<const Traffic::Flow> Traffic::message_flows(int from, int to) const {
  const auto found =
      message_.find(pair_of(static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to)));
  if (found == message_.end()) return {};
  return {flows_.data() + found->second.first, found->second.second - found->second.first};
}

// What links can be asked for ------------------------------------------------------------------

std::vector<double> Traffic::demand() const {
  std::vector<double> demand(
      fabric_.link_rate.size() + (fabric_.bundles ? fabric_.bundles().size() : 0), 0);
  demand_of_collectives(demand);
  demand_of_messages(demand);
  return demand;
}

void Traffic::bind(const std::vector<double>& demand, bool everything) {
  rate_ = fabric_.link_rate;
  if (fabric_.bundles)
    for (const topology::Bundle& bundle : fabric_.bundles()) rate_.push_back(bundle.rate.byte());
  for (std::size_t link = 0; link < rate_.size(); ++link)
    may_bind_.push_back(everything || demand[link] > rate_[link] * calm_slack);
}

/// One operation of a communicator runs at a time: the largest counts.
void Traffic::demand_of_collectives(std::vector<double>& demand) const {
  SlotDemand slot(demand.size());
  for (std::size_t c = 0; c < script_.communicators().size(); ++c) {
    const Script::Communicators& of_axes = script_.communicators()[c];
    if (of_axes.shapes == nullptr) continue;
    for (std::uint32_t group = 0; group < of_axes.groups(); ++group) {
      for (int p = 0; p < static_cast<int>(patterns_.size()); ++p) {
        if (patterns_[at(p)].communicators != static_cast<int>(c)) continue;
        double fastest = 0;
        for (const std::uint32_t use : of_axes.uses)
          if (pattern_of(use, group) == p)
            fastest = std::max(fastest, scale(use, p) / script_.cost(use, group).wire_time());
        if (fastest == 0) continue;
        for (const Flow& flow : flows_of(p, group))
          for (const std::uint32_t link : hops(flow.path)) slot.add(link, flow.bytes * fastest);
        slot.end_operation();
      }
      slot.end_slot(demand);
    }
  }
}

/// A rank sends one message after the other.
void Traffic::demand_of_messages(std::vector<double>& demand) const {
  SlotDemand slot(demand.size());
  for (int rank = 0; rank < graph_.grid.size(); ++rank) {
    for (const std::uint32_t index : script_.messages_sent(rank)) {
      const Message& message = graph_.messages[index];
      const int peer = peer_of(rank, message);
      const double time = message.cost[same_domain(rank, peer) ? 0 : 1].wire_time();
      if (time <= 0) continue;
      for (const Flow& flow : message_flows(rank, peer))
        for (const std::uint32_t link : hops(flow.path))
          slot.add(link, flow.bytes * message.bytes.as_double() / time);
      slot.end_operation();
    }
    slot.end_slot(demand);
  }
}

// Sums -----------------------------------------------------------------------------------------

void Traffic::each_flow(const std::function<void(const Flow& flow, double bytes)>& look) const {
  for (int p = 0; p < static_cast<int>(patterns_.size()); ++p) {
    const Script::Communicators& of_axes =
        script_.communicators()[at(patterns_[at(p)].communicators)];
    for (std::uint32_t group = 0; group < of_axes.groups(); ++group) {
      const int member = of_axes.members_of(group).front();
      double times = 0;
      for (const std::uint32_t use : of_axes.uses)
        if (pattern_of(use, group) == p) times += script_.times_run(member, use) * scale(use, p);
      if (times > 0)
        for (const Flow& flow : flows_of(p, group)) look(flow, flow.bytes * times);
    }
  }
  for (int rank = 0; rank < graph_.grid.size(); ++rank)
    for (const std::uint32_t index : script_.messages_sent(rank)) {
      const Message& message = graph_.messages[index];
      const int peer = peer_of(rank, message);
      const double times = script_.times_sent(rank, index) * message.bytes.as_double();
      for (const Flow& flow : message_flows(rank, peer)) look(flow, flow.bytes * times);
    }
}

std::vector<double> Traffic::link_bytes() const {
  std::vector<double> bytes(rate_.size(), 0);
  each_flow([&](const Flow& flow, double amount) {
    each_carrier(flow.path, [&](std::uint32_t link) { bytes[link] += amount; });
  });
  // A bundle's cables carry alike, each as its rate allows.
  fabric_.each_bundled_link([&](std::size_t bundle, topology::LinkId link, double rate) {
    bytes[link] += bytes[bundle] / rate * fabric_.link_rate[link];
  });
  bytes.resize(fabric_.link_rate.size());
  return bytes;
}

double Traffic::private_bytes() const {
  double sum = 0;
  for (const Script::Communicators& of_axes : script_.communicators()) {
    if (of_axes.shapes == nullptr || of_axes.extent < 2) continue;
    for (std::uint32_t group = 0; group < of_axes.groups(); ++group) {
      if (of_axes.shapes->shapes[of_axes.shapes->shape_of_group[group]].nodes != 1) continue;
      const int member = of_axes.members_of(group).front();
      for (const std::uint32_t use : of_axes.uses) {
        const CollectiveUse& what = graph_.collectives[use];
        if (pattern_of(use, group) < 0)
          sum += script_.times_run(member, use) * what.bytes.as_double() * of_axes.extent *
                 calibrate::bus_factor(what.op, of_axes.extent);
      }
    }
  }
  for (int rank = 0; rank < graph_.grid.size(); ++rank)
    for (const std::uint32_t index : script_.messages_sent(rank)) {
      const Message& message = graph_.messages[index];
      const int peer = peer_of(rank, message);
      if (same_domain(rank, peer) && (!inside_domains_ || message.cost[0].wire_time() <= 0))
        sum += script_.times_sent(rank, index) * message.bytes.as_double();
    }
  return sum;
}

}  // namespace sim::engine
