#include "tests/calibrate/runtime/network_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string_view>

#include "base/collective.hpp"

namespace calibrate::runtime {

namespace {

using base::Collective;
using Values = std::vector<float>;

constexpr int count = 1000;

/// Where a network reads and writes: memory of a device, or of the host.
class Place {
 public:
  Place(const foreshard_compute* compute, int device)
      : compute_(compute), device_(compute == nullptr ? nullptr : compute->open(device)) {
    if (device_ != nullptr) stream_ = compute_->create_stream(device_);
  }
  ~Place() {
    if (device_ == nullptr) return;
    compute_->destroy_stream(device_, stream_);
    compute_->close(device_);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  void* stream() const { return stream_; }

  /// Has `values` in memory of its own while `action` uses it, and gives what is there then.
  template <class Action>
  Values use(const Values& values, Action action) const {
    Values copy = values;
    if (compute_ == nullptr) {
      action(copy.data());
      return copy;
    }
    const auto bytes = static_cast<std::int64_t>(copy.size() * sizeof(float));
    void* memory = compute_->allocate(device_, bytes);
    compute_->to_device(device_, memory, copy.data(), bytes);
    action(static_cast<float*>(memory));
    compute_->synchronise(device_, stream_);
    compute_->to_host(device_, copy.data(), memory, bytes);
    compute_->release(device_, memory);
    return copy;
  }

 private:
  const foreshard_compute* compute_;
  void* device_;
  void* stream_ = nullptr;
};

/// What rank `rank` of a group has at place `i`: small, so that sums are exact in any order.
float value(int rank, int i) { return static_cast<float>((7 * rank + i) % 5 + 1); }

Values of_rank(int rank, int size) {
  Values values;
  for (int i = 0; i < size; ++i) values.push_back(value(rank, i));
  return values;
}

/// Blocks of `count` that each rank has to give, and gets.
int blocks_in(Collective op, int ranks) {
  const bool many =
      op == Collective::reduce_scatter || op == Collective::all_to_all || op == Collective::scatter;
  return many ? ranks : 1;
}

int blocks_out(Collective op, int ranks) {
  const bool many =
      op == Collective::all_gather || op == Collective::all_to_all || op == Collective::gather;
  return many ? ranks : 1;
}

float reduced(std::string_view reduction, int ranks, int i) {
  float result = value(0, i);
  for (int rank = 1; rank < ranks; ++rank) {
    const float next = value(rank, i);
    if (reduction == "prod") result *= next;
    if (reduction == "min") result = std::min(result, next);
    if (reduction == "max") result = std::max(result, next);
    if (reduction == "sum" || reduction == "avg") result += next;
  }
  return reduction == "avg" ? result / static_cast<float>(ranks) : result;
}

/// What a rank has at place `i` of its output afterwards; nothing where it is nobody's business.
std::optional<float> expected(Collective op, std::string_view reduction, int rank, int ranks,
                              int root, int i) {
  const int block = i / count;
  const int inner = i % count;
  switch (op) {
    case Collective::all_reduce: return reduced(reduction, ranks, i);
    case Collective::reduce:
      return rank == root ? std::optional(reduced(reduction, ranks, i)) : std::nullopt;
    case Collective::reduce_scatter: return reduced(reduction, ranks, rank * count + i);
    case Collective::broadcast: return value(root, i);
    case Collective::all_gather: return value(block, inner);
    case Collective::gather:
      return rank == root ? std::optional(value(block, inner)) : std::nullopt;
    case Collective::scatter: return value(root, rank * count + i);
    case Collective::all_to_all: return value(block, rank * count + inner);
    case Collective::send_receive: return value((rank + ranks - 1) % ranks, i);
    case Collective::barrier: return std::nullopt;
  }
  return std::nullopt;
}

/// A group of ranks as one of them sees it.
struct Group {
  void* communicator = nullptr;
  int rank = 0;
  int ranks = 1;
  std::string name;
};

class Check {
 public:
  Check(const foreshard_network& network, void* world, const Place& place)
      : network_(network), world_(world), place_(place) {}

  void all_operations(const Group& group) {
    for (const auto& [name, op] : base::collective_names)
      for (const std::string_view reduction : {"sum", "prod", "min", "max", "avg"}) {
        const bool reduces = op == Collective::all_reduce || op == Collective::reduce ||
                             op == Collective::reduce_scatter;
        if (!reduces && reduction != "sum") continue;
        for (const int root : {0, group.ranks - 1})
          operation(group, op, reduces ? reduction : "none", root);
      }
  }

  void sharing() {
    const int rank = network_.rank(world_);
    const int ranks = network_.ranks(world_);
    std::vector<std::int32_t> all(2 * static_cast<std::size_t>(ranks), -1);
    const std::vector<std::int32_t> mine{rank, 10 * rank};
    if (network_.share(world_, mine.data(), all.data(), 2 * sizeof(std::int32_t)) != 0)
      wrong("share: {}", network_.error(world_));
    for (int other = 0; other < ranks; ++other)
      if (all.at(2 * static_cast<std::size_t>(other)) != other ||
          all.at(2 * static_cast<std::size_t>(other) + 1) != 10 * other)
        wrong("share: not what rank {} gave", other);
  }

  void mistakes(const Group& group) {
    foreshard_collective collective{"all_to_none", "float", "sum", 1, 0, -1, -1, 0};
    if (network_.launch(world_, group.communicator, &collective, nullptr, nullptr,
                        place_.stream()) == 0)
      wrong("an operation that nobody knows is done", 0);
    collective = {"all_reduce", "quad", "sum", 1, 0, -1, -1, 0};
    if (network_.launch(world_, group.communicator, &collective, nullptr, nullptr,
                        place_.stream()) == 0)
      wrong("a data type that nobody knows is reduced", 0);
    if (std::string_view(network_.error(world_)).empty()) wrong("a mistake has no words", 0);
  }

  std::vector<std::string> problems;

 private:
  template <class... Args>
  void wrong(std::string_view text, const Args&... args) {
    problems.push_back(fmt::format("rank {}: {}", network_.rank(world_),
                                   fmt::vformat(text, fmt::make_format_args(args...))));
  }

  void operation(const Group& group, Collective op, std::string_view reduction, int root) {
    const std::string name(base::name_of(op));
    const std::string reduced_by(reduction);
    foreshard_collective collective{name.c_str(), "float", reduced_by.c_str(), count, root, -1,
                                    -1,           0};
    if (op == Collective::send_receive) {
      collective.destination = (group.rank + 1) % group.ranks;
      collective.source = (group.rank + group.ranks - 1) % group.ranks;
    }
    const Values input = of_rank(group.rank, count * blocks_in(op, group.ranks));
    Values output(
        static_cast<std::size_t>(count) * static_cast<std::size_t>(blocks_out(op, group.ranks)),
        -1);
    std::int32_t failed = 0;
    place_.use(input, [&](float* send) {
      output = place_.use(output, [&](float* receive) {
        failed = network_.launch(world_, group.communicator, &collective, send, receive,
                                 place_.stream());
      });
    });
    const std::string what = fmt::format("{} {} of {}, root {}", group.name, name, reduction, root);
    const bool told = !std::string_view(network_.error(world_)).empty();
    if (failed != 0 && reduction == "avg" && told) return;  // which only NCCL has
    if (failed != 0) return wrong("{}: {}", what, network_.error(world_));
    for (int i = 0; i < static_cast<int>(output.size()); ++i) {
      const auto right = expected(op, reduction, group.rank, group.ranks, root, i);
      const float got = output.at(static_cast<std::size_t>(i));
      // Means may be taken before they are summed: two roundings of a float.
      const float slack = reduction == "avg" ? 4e-7F * right.value_or(0) : 0;
      if (right && !(std::abs(got - *right) <= slack))
        return wrong("{}: {} at {}, not {}", what, got, i, *right);
    }
  }

  const foreshard_network& network_;
  void* world_;
  const Place& place_;
};

/// Every second rank in falling order; the others have no part in it.
void check_group(const foreshard_network& network, void* world, Check& check) {
  const int rank = network.rank(world);
  std::vector<std::int32_t> members;
  for (int other = network.ranks(world) - 1; other >= 0; --other)
    if (other % 2 == 0) members.push_back(other);
  const auto mine = std::find(members.begin(), members.end(), rank);
  const bool in = mine != members.end();
  void* communicator = network.communicator(world, members.data(),
                                            in ? static_cast<std::int32_t>(members.size()) : 0);
  if (in != (communicator != nullptr))
    check.problems.push_back(fmt::format("rank {}: {} a communicator: {}", rank,
                                         in ? "lacks" : "has", network.error(world)));
  if (!in || communicator == nullptr) return;
  check.all_operations({communicator, static_cast<int>(mine - members.begin()),
                        static_cast<int>(members.size()), "even ranks:"});
  network.free_communicator(world, communicator);
}

}  // namespace

std::vector<std::string> check_network(const foreshard_network& network,
                                       const foreshard_compute* compute,
                                       const foreshard_rendezvous& rendezvous) {
  void* world = network.join(&rendezvous);
  if (world == nullptr) return {fmt::format("cannot join: {}", network.error(nullptr))};
  const Place place(compute, rendezvous.device);
  Check check(network, world, place);
  if ((network.host_memory(world) == 0) != (compute != nullptr))
    check.problems.emplace_back("its memory is not where it says");
  foreshard_software software{};
  if (network.software(world, 0, &software) != 0 || software.name[0] == '\0')
    check.problems.emplace_back("it does not say what library it is");
  check.sharing();
  std::vector<std::int32_t> all(static_cast<std::size_t>(network.ranks(world)));
  std::iota(all.begin(), all.end(), 0);
  void* communicator =
      network.communicator(world, all.data(), static_cast<std::int32_t>(all.size()));
  if (communicator == nullptr) {
    check.problems.push_back(fmt::format("no communicator: {}", network.error(world)));
  } else {
    const Group group{communicator, network.rank(world), network.ranks(world), "all ranks:"};
    check.all_operations(group);
    check.mistakes(group);
    network.free_communicator(world, communicator);
  }
  check_group(network, world, check);
  network.leave(world);
  return check.problems;
}

}  // namespace calibrate::runtime
