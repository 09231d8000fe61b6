#include "calibrate/harness/collective_bench.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>
#include <set>

#include "calibrate/harness/machine.hpp"
#include "calibrate/harness/synthetic_data.hpp"

namespace calibrate::harness {

namespace {

using base::Collective;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

double combined(const std::vector<double>& of_ranks, RankAverage average) {
  switch (average) {
    case RankAverage::rank_0: return of_ranks.front();
    case RankAverage::mean:
      return std::accumulate(of_ranks.begin(), of_ranks.end(), 0.0) /
             static_cast<double>(of_ranks.size());
    case RankAverage::min: return *std::min_element(of_ranks.begin(), of_ranks.end());
    case RankAverage::max: return *std::max_element(of_ranks.begin(), of_ranks.end());
  }
  return of_ranks.front();
}

/// Whether one buffer is that of all ranks, of which the other is a block.
bool shares_buffer(Collective op) {
  return op == Collective::all_gather || op == Collective::gather ||
         op == Collective::reduce_scatter || op == Collective::scatter;
}

/// Ranks of the group of rank 0, by who leads the group of each; all groups are as this one.
std::vector<int> first_group(const std::vector<std::int32_t>& leaders) {
  std::vector<int> first;
  for (std::size_t rank = 0; rank < leaders.size(); ++rank)
    if (leaders[rank] == leaders.front()) first.push_back(static_cast<int>(rank));
  return first;
}

}  // namespace

/// Memory of both directions; in place they are one.
struct CollectiveBench::Buffers {
  std::shared_ptr<void> memory[2];
  void* send = nullptr;
  void* receive = nullptr;
};

CollectiveBench::CollectiveBench(const World& world, const Device& device,
                                 const SweepOptions& options, const StopRule& rule)
    : world_(world),
      device_(device),
      options_(options),
      rule_(rule),
      sampling_(device, &world),
      host_of_rank_(world.share(std::vector{host_identity()})),
      ranks_per_device_(ranks_per_device(world, device)),
      device_name_(device.description().name),
      library_(world.software().front()) {}

Placement CollectiveBench::placement(const std::vector<std::int32_t>& leaders,
                                     const std::vector<int>& members) const {
  Placement place;
  std::map<std::uint64_t, int> on_host;
  for (const int rank : members) ++on_host[host_of_rank_[static_cast<std::size_t>(rank)]];
  std::set<std::int32_t> groups(leaders.begin(), leaders.end());
  groups.erase(-1);
  place.ranks = static_cast<int>(members.size());
  place.nodes = static_cast<int>(on_host.size());
  for (const auto& [host, count] : on_host)
    place.ranks_per_node = std::max(place.ranks_per_node, count);
  place.stride = members.size() > 1 ? members[1] - members[0] : 1;
  place.groups = static_cast<int>(groups.size());
  place.ranks_per_device = ranks_per_device_;
  return place;
}

CollectiveBench::Buffers CollectiveBench::buffers(const World::Group& group,
                                                  const CollectiveCall& call, const CallSize& size,
                                                  bool in_place) const {
  const int element = find_element_type(call.dtype)->bytes;
  const auto bytes = [&](std::int64_t count) {
    return base::Bytes::from_count(std::max<std::int64_t>(1, count) * element);
  };
  Buffers made;
  made.memory[0] =
      device_.allocate(bytes(in_place ? std::max(size.send, size.receive) : size.send));
  made.send = made.receive = made.memory[0].get();
  if (in_place) {
    // The smaller buffer is this rank's block of the larger one.
    const std::int64_t offset = shares_buffer(call.op) ? group.rank() * size.count * element : 0;
    char* const block = static_cast<char*>(made.memory[0].get()) + offset;
    (size.send < size.receive ? made.send : made.receive) = block;
  } else {
    made.memory[1] = device_.allocate(bytes(size.receive));
    made.receive = made.memory[1].get();
  }
  return made;
}

/// Runs once on data of which the result is known; elements that are wrong on this rank.
std::int64_t CollectiveBench::wrong(const World::Group& group, const CollectiveCall& call,
                                    const CallSize& size, const Buffers& buffers) const {
  const int element = find_element_type(call.dtype)->bytes;
  const std::vector<std::byte> sent = sent_data(call, group.rank(), group.ranks(), size.send);
  std::vector<std::byte> received(static_cast<std::size_t>(size.receive * element));
  const auto bytes = [](const std::vector<std::byte>& data) {
    return base::Bytes::from_count(static_cast<std::int64_t>(data.size()));
  };
  device_.to_device(buffers.receive, received.data(), bytes(received));
  device_.to_device(buffers.send, sent.data(), bytes(sent));
  group.run(call, buffers.send, buffers.receive, sampling_.stream());
  device_.synchronise(sampling_.stream());
  device_.to_host(received.data(), buffers.receive, bytes(received));
  return wrong_elements(call, group.rank(), group.ranks(), received);
}

CollectiveRecord CollectiveBench::measure(const World::Group& group, const CollectiveCall& call,
                                          const CallSize& size, bool in_place) const {
  CollectiveRecord record;
  record.op = call.op;
  record.library = library_.name;
  record.library_version = library_.version;
  record.device = device_name_;
  record.algorithm = environment("NCCL_ALGO");
  record.protocol = environment("NCCL_PROTO");
  record.dtype = call.dtype;
  record.reduction = has_reduction(call.op) ? call.reduction : "none";
  record.root = has_root(call.op) ? call.root : -1;
  const std::vector<std::int32_t> leading = leaders(group);
  record.placement = placement(leading, first_group(leading));
  record.bytes = size.bytes;
  record.count = size.count;
  record.in_place = in_place;

  const bool member = group.rank() >= 0;
  const Buffers memory = member ? buffers(group, call, size, in_place) : Buffers{};
  if (options_.checks > 0 && exact(call, record.placement.ranks)) {
    const std::int64_t here = member ? wrong(group, call, size, memory) : 0;
    const std::vector<std::int64_t> everywhere = world_.share(std::vector{here});
    record.wrong = std::accumulate(everywhere.begin(), everywhere.end(), std::int64_t{0});
  }
  const Samples samples = sampling_.take(
      [&] {
        for (int i = 0; member && i < options_.aggregated; ++i)
          group.run(call, memory.send, memory.receive, sampling_.stream());
      },
      rule_);
  record.times = times(group, samples);
  if (member) record.own_estimate = group.estimate(call);
  return record;
}

std::function<void(void* stream)> CollectiveBench::iteration(const World::Group& group,
                                                             const CollectiveCall& call,
                                                             const CallSize& size) const {
  if (group.rank() < 0) return [](void*) {};
  return [memory = buffers(group, call, size, false), group, call,
          times = options_.aggregated](void* stream) {
    for (int i = 0; i < times; ++i) group.run(call, memory.send, memory.receive, stream);
  };
}

Times CollectiveBench::times(const World::Group& group, const Samples& samples) const {
  const std::vector<int> first = first_group(leaders(group));
  std::vector<double> seconds;
  for (std::size_t i = 0; i < samples.count(); ++i) {
    std::vector<double> of_ranks;
    for (const int rank : first)
      of_ranks.push_back(samples.of_rank[static_cast<std::size_t>(rank)][i] / options_.aggregated);
    seconds.push_back(combined(of_ranks, options_.average));
  }
  Times times = seconds.empty() ? Times{} : times_of(std::move(seconds));
  times.warm_up = samples.warm_up;
  times.dropped = samples.dropped;
  return times;
}

std::vector<std::int32_t> CollectiveBench::leaders(const World::Group& group) const {
  const std::int32_t leader = group.rank() < 0 ? -1 : group.members().front();
  return world_.share(std::vector{leader});
}

}  // namespace calibrate::harness
