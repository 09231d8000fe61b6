#include "sim/engine/wires.hpp"

#include <fmt/format.h>

#include <map>

#include "base/check.hpp"
#include "sim/collectives/collectives.hpp"

namespace sim::engine {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// SimGrid looks for each link of a transfer among those it already has: long lists cost their
/// square. Flows of one collective in several transfers end at the same time when it is alone.
constexpr std::size_t most_flows_of_bundle = 64;

std::uint64_t hash_of(const std::vector<std::pair<int, int>>& ends) {
  std::uint64_t hash = 1469598103934665603U;  // FNV-1a over the numbers
  for (const auto& [from, to] : ends) {
    hash = (hash ^ static_cast<std::uint64_t>(from)) * 1099511628211U;
    hash = (hash ^ static_cast<std::uint64_t>(to)) * 1099511628211U;
  }
  return hash;
}

}  // namespace

Wires::Wires(const StepGraph& graph, const Script& script, const Fabric& fabric,
             const std::vector<topology::GpuId>& gpu_of_rank, bool inside_domains, Network& network)
    : graph_(graph),
      script_(script),
      fabric_(fabric),
      gpu_of_rank_(gpu_of_rank),
      inside_domains_(inside_domains),
      network_(network),
      ranges_(graph.collectives.size()),
      known_(script.communicators().size()) {}

std::span<const Wires::Bundle> Wires::of_collective(std::uint32_t use, std::uint32_t group) {
  std::vector<Range>& ranges = ranges_[use];
  if (ranges.empty())
    ranges.resize(script_.communicators()[at(script_.of_collective(use))].groups());
  if (!ranges[group].known) expand(use, group);
  return {bundles_.data() + ranges[group].first, ranges[group].count};
}

void Wires::expand(std::uint32_t use, std::uint32_t group) {
  const std::size_t of_axes = at(script_.of_collective(use));
  const Script::Communicators& communicators = script_.communicators()[of_axes];
  if (known_[of_axes].empty()) known_[of_axes].resize(communicators.groups());
  const std::span<const int> members = communicators.members_of(group);
  std::vector<int> domains;
  for (const int rank : members) domains.push_back(fabric_.domain_of_gpu[gpu_of_rank_[at(rank)]]);

  const CollectiveUse& what = graph_.collectives[use];
  std::map<base::Bytes, Ends, std::greater<>> flows_by_bytes;
  for (const collectives::Flow& flow :
       collectives::algorithm_for(what.op).expand(what.op, what.bytes, domains))
    if (inside_domains_ || domains[at(flow.from)] != domains[at(flow.to)])
      flows_by_bytes[flow.bytes].emplace_back(members[at(flow.from)], members[at(flow.to)]);

  const auto first = static_cast<std::uint32_t>(bundles_.size());
  for (const auto& [bytes, flows] : flows_by_bytes)
    for (std::size_t i = 0; i < flows.size(); i += most_flows_of_bundle) {
      const std::size_t end = std::min(flows.size(), i + most_flows_of_bundle);
      const Ends ends(flows.begin() + static_cast<std::ptrdiff_t>(i),
                      flows.begin() + static_cast<std::ptrdiff_t>(end));
      bundles_.push_back({path_of(ends, known_[of_axes][group]), bytes.as_double()});
    }
  ranges_[use][group] = {first, static_cast<std::uint32_t>(bundles_.size()) - first, true};
}

PathId Wires::path_of(const Ends& ends, std::vector<Known>& known) {
  const std::uint64_t hash = hash_of(ends);
  for (const Known& path : known)
    if (path.ends_hash == hash && path.flows == ends.size()) return path.path;
  std::vector<topology::LinkId> crossings;
  for (const auto& [from, to] : ends) append_route(from, to, crossings);
  known.push_back(
      {hash, ends.size(),
       network_.add_path(std::move(crossings), static_cast<std::uint32_t>(ends.size()))});
  return known.back().path;
}

PathId Wires::between(int from, int to) {
  const auto key = (static_cast<std::uint64_t>(from) << 32) | static_cast<std::uint64_t>(to);
  const auto found = between_.find(key);
  if (found != between_.end()) return found->second;
  std::vector<topology::LinkId> links;
  append_route(from, to, links);
  const PathId path = network_.add_path(std::move(links), 1);
  between_.emplace(key, path);
  return path;
}

void Wires::append_route(int from, int to, std::vector<topology::LinkId>& links) const {
  const topology::GpuId source = gpu_of_rank_[at(from)];
  const topology::GpuId target = gpu_of_rank_[at(to)];
  CHECK_INVARIANT(source != target);
  if (!fabric_.route(source, target, links))
    throw base::EnvironmentError(
        fmt::format("the cluster has no path from GPU {} to GPU {}", source, target));
}

}  // namespace sim::engine
