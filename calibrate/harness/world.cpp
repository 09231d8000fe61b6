#include "calibrate/harness/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/check.hpp"

namespace calibrate::harness {

struct World::Joined {
  const foreshard_network& runtime;
  void* handle;

  Joined(const foreshard_network& of, void* world) : runtime(of), handle(world) {}
  Joined(const Joined&) = delete;
  ~Joined() { runtime.leave(handle); }

  void check(std::int32_t code, std::string_view what) const {
    if (code != 0) throw base::EnvironmentError(fmt::format("{}: {}", what, runtime.error(handle)));
  }
};

namespace {

foreshard_collective described(const CollectiveCall& call) {
  foreshard_collective one{};
  one.operation = base::name_of(call.op).data();  // a literal
  one.dtype = call.dtype.c_str();
  one.reduction = call.reduction.c_str();
  one.count = call.count;
  one.root = call.root;
  one.destination = call.destination;
  one.source = call.source;
  return one;
}

}  // namespace

void World::Group::run(const CollectiveCall& call, const void* send, void* receive,
                       void* stream) const {
  CHECK_INVARIANT(rank_ >= 0);
  const foreshard_collective one = described(call);
  world_->check(
      world_->runtime.launch(world_->handle, communicator_.get(), &one, send, receive, stream),
      one.operation);
}

void World::Group::barrier() const {
  run({base::Collective::barrier, "int8", "none", 0, 0, -1, -1}, nullptr, nullptr, nullptr);
}

std::optional<double> World::Group::estimate(const CollectiveCall& call) const {
  CHECK_INVARIANT(rank_ >= 0);
  const foreshard_collective one = described(call);
  double seconds = 0;
  if (world_->runtime.estimate(world_->handle, communicator_.get(), &one, &seconds) != 0) return {};
  return seconds;
}

base::Result<World> World::join(const foreshard_network& runtime,
                                const foreshard_rendezvous& rendezvous) {
  void* const handle = runtime.join(&rendezvous);
  if (handle == nullptr)
    return tl::unexpected(base::Diagnostics{
        {{}, fmt::format("rank {} cannot join: {}", rendezvous.rank, runtime.error(nullptr))}});
  return World(std::make_shared<const Joined>(runtime, handle));
}

int World::rank() const { return joined_->runtime.rank(joined_->handle); }
int World::ranks() const { return joined_->runtime.ranks(joined_->handle); }
void World::abort() const {
  joined_->runtime.abort(joined_->handle);
  std::_Exit(70);
}

bool World::host_memory() const { return joined_->runtime.host_memory(joined_->handle) != 0; }

std::vector<Software> World::software() const {
  std::vector<Software> all;
  foreshard_software one{};
  for (int i = 0; joined_->runtime.software(joined_->handle, i, &one) == 0; ++i)
    all.push_back({one.name, one.version});
  return all;
}

World::Group World::group(std::span<const int> members) const {
  const std::vector<std::int32_t> list(members.begin(), members.end());
  void* const made = joined_->runtime.communicator(joined_->handle, list.data(),
                                                   static_cast<std::int32_t>(list.size()));
  Group group;
  if (list.empty()) return group;
  joined_->check(made == nullptr ? 1 : 0, "communicator");
  group.world_ = joined_;
  group.communicator_ = std::shared_ptr<void>(made, [joined = joined_](void* old) {
    joined->runtime.free_communicator(joined->handle, old);
  });
  group.rank_ = static_cast<int>(std::find(list.begin(), list.end(), rank()) - list.begin());
  group.members_.assign(members.begin(), members.end());
  return group;
}

void World::share(const void* mine, void* all, std::size_t bytes) const {
  joined_->check(
      joined_->runtime.share(joined_->handle, mine, all, static_cast<std::int64_t>(bytes)),
      "exchange between ranks");
}

}  // namespace calibrate::harness
