#include "sim/engine/cast.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_map>

#include "base/check.hpp"
#include "base/mix.hpp"

namespace sim::engine {

namespace {

using strategies::Axis;
using Colour = std::uint64_t;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Sums of mixed colours tell multisets apart.
using base::mix;

Colour mix(Colour a, Colour b) { return mix(mix(a) ^ (b + 0x632be59bd9b4e019ULL)); }

Colour mix(Colour a, Colour b, Colour c) { return mix(mix(a, b), c); }

/// A difference spreads by one hop of a ring a round, so that one odd link in a ring of thousands
/// takes thousands of rounds, at the end of which no two ranks are alike. What is alike in steps is
/// found in a few (17 in a step of 16,384 ranks); with more, playing everybody costs less.
constexpr int rounds_max = 64;

/// Colours of ranks, groups, flows and links, refined until nothing parts any more.
class Refinement {
 public:
  Refinement(const StepGraph& graph, const Script& script, const Traffic& traffic)
      : graph_(graph), script_(script), traffic_(traffic) {
    for (int rank = 0; rank < graph.grid.size(); ++rank)
      rank_.push_back(mix(script.program_of(rank)));
    for (const Script::Communicators& of_axes : script.communicators())
      group_.emplace_back(of_axes.groups(), 0);
    flow_.assign(traffic.flows().size(), 0);
    for (std::uint32_t link = 0; link < traffic.links(); ++link)
      link_.push_back(mix(std::bit_cast<Colour>(traffic.rate(link))));
    for (std::uint32_t link = 0; link < traffic.links(); ++link)
      if (traffic.may_bind(link)) binding_.push_back(link);
  }

  /// \returns false when it has not come to an end after `rounds_max`.
  bool run() {
    std::size_t before = 0;
    for (int round = 0; round < rounds_max; ++round) {
      colour_groups();
      colour_flows();
      colour_links();
      colour_ranks();
      std::vector<Colour> binding;
      for (const std::uint32_t link : binding_) binding.push_back(link_[link]);
      const std::size_t now = distinct(rank_) + distinct(std::move(binding));
      if (now == before) return true;
      before = now;
    }
    return false;
  }

  const std::vector<Colour>& ranks() const { return rank_; }
  const std::vector<Colour>& groups(std::size_t communicators) const {
    return group_[communicators];
  }
  const std::vector<Colour>& flows() const { return flow_; }
  const std::vector<Colour>& links() const { return link_; }

 private:
  static std::size_t distinct(std::vector<Colour> colours) {
    std::sort(colours.begin(), colours.end());
    return static_cast<std::size_t>(std::unique(colours.begin(), colours.end()) - colours.begin());
  }

  std::size_t index_of(const Traffic::Flow& flow) const {
    return static_cast<std::size_t>(&flow - traffic_.flows().data());
  }

  void colour_groups() {
    for (std::size_t c = 0; c < group_.size(); ++c) {
      const Script::Communicators& of_axes = script_.communicators()[c];
      for (std::uint32_t group = 0; group < of_axes.groups(); ++group) {
        Colour sum =
            of_axes.shapes == nullptr ? 0 : mix(of_axes.shapes->shape_of_group[group] + 1U);
        for (const int rank : of_axes.members_of(group)) sum += mix(c, rank_[at(rank)]);
        group_[c][group] = sum;
      }
    }
    for (int p = 0; p < static_cast<int>(traffic_.patterns().size()); ++p) {
      std::vector<Colour>& groups = group_[at(traffic_.patterns()[at(p)].communicators)];
      for (std::uint32_t group = 0; group < groups.size(); ++group)
        for (const Traffic::Flow& flow : traffic_.flows_of(p, group))
          groups[group] += mix(at(p), flow_[index_of(flow)]);
    }
  }

  void colour_flow(const Traffic::Flow& flow, Colour of) {
    Colour crossed = 0;
    for (const std::uint32_t link : traffic_.hops(flow.path))
      if (traffic_.may_bind(link)) crossed += mix(link_[link]);
    flow_[index_of(flow)] = mix(mix(of, std::bit_cast<Colour>(flow.bytes), crossed),
                                rank_[at(flow.from)], rank_[at(flow.to)]);
  }

  void colour_flows() {
    for (int p = 0; p < static_cast<int>(traffic_.patterns().size()); ++p) {
      const std::vector<Colour>& groups = group_[at(traffic_.patterns()[at(p)].communicators)];
      for (std::uint32_t group = 0; group < groups.size(); ++group)
        for (const Traffic::Flow& flow : traffic_.flows_of(p, group))
          colour_flow(flow, mix(at(p), groups[group]));
    }
    for (const Traffic::Flow& flow : traffic_.flows().subspan(traffic_.first_message_flow()))
      colour_flow(flow, ~Colour{0});
  }

  void colour_links() {
    std::vector<Colour> crossing(link_.size(), 0);
    for (const Traffic::Flow& flow : traffic_.flows())
      for (const std::uint32_t link : traffic_.hops(flow.path))
        if (traffic_.may_bind(link)) crossing[link] += mix(flow_[index_of(flow)]);
    for (const std::uint32_t link : binding_) link_[link] = mix(link_[link], crossing[link]);
  }

  void colour_ranks() {
    std::vector<Colour> met(rank_.size(), 0);
    for (std::size_t c = 0; c < group_.size(); ++c) {
      const std::vector<std::uint32_t>& group_of = script_.communicators()[c].group_of;
      for (std::size_t rank = 0; rank < met.size(); ++rank)
        met[rank] += mix(c, group_[c][group_of[rank]]);
    }
    for (const Traffic::Flow& flow : traffic_.flows()) {
      met[at(flow.from)] += mix(1, flow_[index_of(flow)]);
      met[at(flow.to)] += mix(2, flow_[index_of(flow)]);
    }
    for (int rank = 0; rank < static_cast<int>(rank_.size()); ++rank)
      for (const std::uint32_t message : script_.messages_sent(rank)) {
        const int stage = graph_.messages[message].peer_stage;
        const int peer = graph_.grid.moved(rank, Axis::pipeline, stage);
        const Colour near = traffic_.same_domain(rank, peer) ? 3 : 5;
        met[at(rank)] += mix(near, message, rank_[at(peer)]);
        met[at(peer)] += mix(near + 1, message, rank_[at(rank)]);
      }
    for (std::size_t rank = 0; rank < rank_.size(); ++rank)
      rank_[rank] = mix(rank_[rank], met[rank]);
  }

  const StepGraph& graph_;
  const Script& script_;
  const Traffic& traffic_;
  std::vector<Colour> rank_;
  std::vector<std::vector<Colour>> group_;  // by communicators
  std::vector<Colour> flow_;
  std::vector<Colour> link_;
  std::vector<std::uint32_t> binding_;  // links that may bind
};

/// Numbers colours by their first appearance; `first` gets the index of each one's first bearer.
std::vector<std::uint32_t> classes_of(const std::vector<Colour>& colours,
                                      std::vector<std::uint32_t>& first) {
  std::unordered_map<Colour, std::uint32_t> number;
  std::vector<std::uint32_t> classes;
  classes.reserve(colours.size());
  for (std::size_t i = 0; i < colours.size(); ++i) {
    const auto [known, fresh] =
        number.try_emplace(colours[i], static_cast<std::uint32_t>(first.size()));
    if (fresh) first.push_back(static_cast<std::uint32_t>(i));
    classes.push_back(known->second);
  }
  return classes;
}

/// Actors of the members of each class of groups, each once, in order of rank.
void cast_members(const Script::Communicators& of_axes, const Cast& cast, Cast::Groups& groups) {
  for (const std::uint32_t group : groups.group_of) {
    groups.first_member.push_back(static_cast<std::uint32_t>(groups.members.size()));
    const auto begin = static_cast<std::ptrdiff_t>(groups.members.size());
    for (const int rank : of_axes.members_of(group))
      groups.members.push_back(cast.actor_of_rank[at(rank)]);
    std::sort(groups.members.begin() + begin, groups.members.end());
    groups.members.erase(std::unique(groups.members.begin() + begin, groups.members.end()),
                         groups.members.end());
  }
  groups.first_member.push_back(static_cast<std::uint32_t>(groups.members.size()));
}

std::vector<std::uint32_t> numbers(std::size_t count) {
  std::vector<std::uint32_t> all(count);
  std::iota(all.begin(), all.end(), 0U);
  return all;
}

}  // namespace

Cast everybody(const StepGraph& graph, const Script& script, const Traffic& traffic) {
  Cast cast;
  cast.actor_of_rank = numbers(at(graph.grid.size()));
  cast.rank_of_actor.assign(cast.actor_of_rank.begin(), cast.actor_of_rank.end());
  for (const Script::Communicators& of_axes : script.communicators()) {
    Cast::Groups groups;
    groups.class_of = groups.group_of = numbers(of_axes.groups());
    cast_members(of_axes, cast, groups);
    cast.groups.push_back(std::move(groups));
  }
  cast.flow_class = numbers(traffic.flows().size());
  cast.flows_in_class.assign(traffic.flows().size(), 1);
  for (std::uint32_t link = 0; link < traffic.links(); ++link) {
    const bool may_bind = traffic.may_bind(link);
    cast.link_class.push_back(may_bind ? static_cast<std::uint32_t>(cast.link_rate.size())
                                       : no_class);
    if (may_bind) cast.link_rate.push_back(traffic.rate(link));
  }
  cast.links_in_class.assign(cast.link_rate.size(), 1);
  return cast;
}

Cast fold(const StepGraph& graph, const Script& script, const Traffic& traffic) {
  Refinement refinement(graph, script, traffic);
  if (!refinement.run()) return everybody(graph, script, traffic);
  Cast cast;
  std::vector<std::uint32_t> first;
  cast.actor_of_rank = classes_of(refinement.ranks(), first);
  cast.rank_of_actor.assign(first.begin(), first.end());
  for (std::size_t c = 0; c < script.communicators().size(); ++c) {
    Cast::Groups groups;
    groups.class_of = classes_of(refinement.groups(c), groups.group_of);
    cast_members(script.communicators()[c], cast, groups);
    cast.groups.push_back(std::move(groups));
  }
  first.clear();
  cast.flow_class = classes_of(refinement.flows(), first);
  cast.flows_in_class.assign(first.size(), 0);
  for (const std::uint32_t of_class : cast.flow_class) ++cast.flows_in_class[of_class];

  std::unordered_map<Colour, std::uint32_t> number;
  for (std::uint32_t link = 0; link < traffic.links(); ++link) {
    if (!traffic.may_bind(link)) {
      cast.link_class.push_back(no_class);
      continue;
    }
    const auto [known, fresh] = number.try_emplace(
        refinement.links()[link], static_cast<std::uint32_t>(cast.link_rate.size()));
    if (fresh) {
      cast.link_rate.push_back(traffic.rate(link));
      cast.links_in_class.push_back(0);
    }
    cast.link_class.push_back(known->second);
    ++cast.links_in_class[known->second];
  }
  return cast;
}

}  // namespace sim::engine
