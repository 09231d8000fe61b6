// The table of functions of the runtime "nccl": a thin layer that catches what is thrown.

#include <fmt/format.h>
#include <nccl.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "calibrate/runtime/failure.hpp"
#include "calibrate/runtime/nccl/world.hpp"
#include "calibrate/runtime/software.hpp"

namespace calibrate::runtime::nccl {

namespace {

/// Why `join` failed, in this thread.
std::string& error_of_join() {
  thread_local std::string error;
  return error;
}

World& world_of(void* world) { return *static_cast<World*>(world); }

Communicator& communicator_of(void* communicator) {
  return *static_cast<Communicator*>(communicator);
}

const char* version() { return FORESHARD_RUNTIME_ABI; }

void* join(const foreshard_rendezvous* rendezvous) {
  std::unique_ptr<World> world;
  guarded(error_of_join(), [&] { world = std::make_unique<World>(*rendezvous); });
  return world.release();
}

void leave(void* world) { delete static_cast<World*>(world); }

void abort(void* world) {
  guarded(world_of(world).error, [&] { world_of(world).abort(); });
}

const char* error(void* world) {
  return world == nullptr ? error_of_join().c_str() : world_of(world).error.c_str();
}

std::int32_t rank(void* world) { return world_of(world).rank(); }

std::int32_t ranks(void* world) { return world_of(world).ranks(); }

std::int32_t host_memory(void*) { return 0; }

std::int32_t software(void* world, std::int32_t index, foreshard_software* software) {
  std::int32_t answer = 1;
  const std::int32_t failed = guarded(world_of(world).error, [&] {
    int number = 0;
    check(ncclGetVersion(&number), "NCCL's version", nullptr);
    const std::array<std::pair<std::string, std::string>, 1> list{
        {{"NCCL", fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100)}}};
    answer = tell_software(list, index, software);
  });
  return failed != 0 ? failed : answer;
}

std::int32_t share(void* world, const void* mine, void* all, std::int64_t bytes) {
  return guarded(world_of(world).error, [&] { world_of(world).share(mine, all, bytes); });
}

void* communicator(void* world, const std::int32_t* ranks, std::int32_t count) {
  Communicator* made = nullptr;
  guarded(world_of(world).error, [&] { made = world_of(world).split(ranks, count); });
  return made;
}

void free_communicator(void* world, void* communicator) {
  guarded(world_of(world).error,
          [&] { world_of(world).free(static_cast<Communicator*>(communicator)); });
}

std::int32_t launch(void* world, void* communicator, const foreshard_collective* collective,
                    const void* send, void* receive, void* stream) {
  return guarded(world_of(world).error, [&] {
    world_of(world).launch(communicator_of(communicator), *collective, send, receive,
                           static_cast<cudaStream_t>(stream));
  });
}

std::int32_t estimate(void* world, void* communicator, const foreshard_collective* collective,
                      double* seconds) {
  return guarded(world_of(world).error, [&] {
    *seconds = world_of(world).estimate(communicator_of(communicator), *collective);
  });
}

}  // namespace

}  // namespace calibrate::runtime::nccl

extern "C" __attribute__((visibility("default"))) const foreshard_network*
foreshard_network_nccl() {
  using namespace calibrate::runtime::nccl;
  static constexpr foreshard_network table{version,  join,    leave,        abort,
                                           error,    rank,    ranks,        host_memory,
                                           software, share,   communicator, free_communicator,
                                           launch,   estimate};
  return &table;
}
