#include "sim/engine/wires.hpp"

#include <fmt/format.h>

#include "base/check.hpp"
#include "sim/collectives/collectives.hpp"

namespace sim::engine {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

Wires::Wires(const StepGraph& graph, const Script& script, const Fabric& fabric,
             const std::vector<topology::GpuId>& gpu_of_rank, bool inside_domains, Network& network)
    : graph_(graph),
      script_(script),
      fabric_(fabric),
      gpu_of_rank_(gpu_of_rank),
      inside_domains_(inside_domains),
      network_(network),
      ranges_(graph.collectives.size()) {}

std::span<const Wires::Flow> Wires::of_collective(std::uint32_t use, std::uint32_t group) {
  std::vector<Range>& ranges = ranges_[use];
  if (ranges.empty())
    ranges.resize(script_.communicators()[at(script_.of_collective(use))].groups());
  if (!ranges[group].known) ranges[group] = expand(use, group);
  return {flows_.data() + ranges[group].first, ranges[group].count};
}

Wires::Range Wires::expand(std::uint32_t use, std::uint32_t group) {
  const std::span<const int> members =
      script_.communicators()[at(script_.of_collective(use))].members_of(group);
  std::vector<collectives::Member> places;
  for (const int rank : members) {
    const topology::GpuId gpu = gpu_of_rank_[at(rank)];
    places.push_back({fabric_.domain_of_gpu[gpu], fabric_.rail_of_gpu[gpu]});
  }
  const CollectiveUse& what = graph_.collectives[use];
  const std::size_t first = flows_.size();
  const collectives::Algorithm& algorithm =
      collectives::algorithm(script_.cost(use, group).algorithm);
  for (const collectives::Flow& flow :
       algorithm.expand({what.op, what.bytes, what.shares}, places).flows)
    if (inside_domains_ || places[at(flow.from)].domain != places[at(flow.to)].domain)
      flows_.push_back(
          {between(members[at(flow.from)], members[at(flow.to)]), flow.bytes.as_double()});
  return {first, flows_.size() - first, true};
}

PathId Wires::between(int from, int to) {
  const auto key = (static_cast<std::uint64_t>(from) << 32) | static_cast<std::uint64_t>(to);
  const auto found = between_.find(key);
  if (found != between_.end()) return found->second;
  const topology::GpuId source = gpu_of_rank_[at(from)];
  const topology::GpuId target = gpu_of_rank_[at(to)];
  CHECK_INVARIANT(source != target);
  links_.clear();
  if (!fabric_.route(source, target, links_))
    throw base::EnvironmentError(
        fmt::format("the cluster has no path from GPU {} to GPU {}", source, target));
  const PathId path = network_.add_path(links_);
  between_.emplace(key, path);
  return path;
}

}  // namespace sim::engine
