#include <gloo/allgather.h>
#include <gloo/allreduce.h>
#include <gloo/alltoall.h>
#include <gloo/barrier.h>
#include <gloo/broadcast.h>
#include <gloo/config.h>
#include <gloo/gather.h>
#include <gloo/math.h>
#include <gloo/reduce.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/rendezvous/prefix_store.h>
#include <gloo/scatter.h>
#include <gloo/transport/tcp/device.h>
#include <gloo/types.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/runtime/runtime.h"

/// The runtime "gloo": collectives of Gloo over TCP, from host memory.
namespace {

using Reduction = gloo::AllreduceOptions::Func;

struct World {
  int rank = 0;
  int ranks = 1;
  std::chrono::milliseconds timeout{};
  std::shared_ptr<gloo::rendezvous::FileStore> store;
  std::shared_ptr<gloo::transport::Device> device;
  std::shared_ptr<gloo::Context> everyone;
  std::map<std::vector<int32_t>, int> made;  ///< communicators of these ranks so far
  std::string error;
};

struct Communicator {
  std::shared_ptr<gloo::Context> context;
  std::vector<char> summed;  ///< of reduce_scatter: the whole buffer
};

std::string join_error;

World* of(void* world) { return static_cast<World*>(world); }

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

/// Loopback where all ranks are on one host, else the interface that PyTorch would take.
std::shared_ptr<gloo::transport::Device> open_device(World& world) {
  const std::string mine = host_name();
  world.store->set("host/" + std::to_string(world.rank), {mine.begin(), mine.end()});
  bool same = true;
  for (int rank = 0; rank < world.ranks; ++rank) {
    const std::string key = "host/" + std::to_string(rank);
    world.store->wait({key}, world.timeout);
    const std::vector<char> other = world.store->get(key);
    same = same && std::string(other.begin(), other.end()) == mine;
  }
  gloo::transport::tcp::attr attributes;
  if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME"))
    attributes.iface = interface;
  else
    attributes.hostname = same ? "127.0.0.1" : mine;
  return gloo::transport::tcp::CreateDevice(attributes);
}

/// `name` tells this communicator from all others of the world.
std::shared_ptr<gloo::Context> connect(World& world, const std::string& name, int rank, int ranks) {
  auto context = std::make_shared<gloo::rendezvous::Context>(rank, ranks);
  context->setTimeout(world.timeout);
  gloo::rendezvous::PrefixStore store(name, *world.store);
  context->connectFullMesh(store, world.device);
  return context;
}

const char* version() { return FORESHARD_RUNTIME_ABI; }

void* join(const foreshard_rendezvous* rendezvous) {
  try {
    auto world = std::make_unique<World>();
    world->rank = rendezvous->rank;
    world->ranks = rendezvous->ranks;
    world->timeout = std::chrono::seconds(rendezvous->timeout_s);
    world->store = std::make_shared<gloo::rendezvous::FileStore>(rendezvous->place);
    world->device = open_device(*world);
    world->everyone = connect(*world, "world", world->rank, world->ranks);
    return world.release();
  } catch (const std::exception& error) {
    join_error = std::string("Gloo: ") + error.what();
    return nullptr;
  }
}

void leave(void* world) { delete of(world); }
void abort_all(void* world) {
  // The others see their connections close.
  of(world)->everyone->closeConnections();
  std::_Exit(1);
}
const char* error(void* world) {
  return world == nullptr ? join_error.c_str() : of(world)->error.c_str();
}
int32_t rank(void* world) { return of(world)->rank; }
int32_t ranks(void* world) { return of(world)->ranks; }
int32_t host_memory(void*) { return 1; }

int32_t software(void*, int32_t index, foreshard_software* software) {
  if (index != 0) return 1;
  *software = {};
  std::snprintf(software->name, sizeof software->name, "Gloo");
  // The library has no releases; this is the version of its headers.
  std::snprintf(software->version, sizeof software->version, "%d.%d.%d", GLOO_VERSION_MAJOR,
                GLOO_VERSION_MINOR, GLOO_VERSION_PATCH);
  return 0;
}

/// What an element is to Gloo: its bytes, and how it is added.
struct Type {
  std::string_view name;
  int size;
  std::array<Reduction, 4> reductions;  ///< sum, prod, min, max
};

template <class T>
Type number(std::string_view name) {
  using Untyped = void (*)(void*, const void*, const void*, std::size_t);
  return {name,
          sizeof(T),
          {static_cast<Untyped>(gloo::sum<T>), static_cast<Untyped>(gloo::product<T>),
           static_cast<Untyped>(gloo::min<T>), static_cast<Untyped>(gloo::max<T>)}};
}

const std::vector<Type>& types() {
  static const std::vector<Type> all{
      number<int8_t>("int8"),        number<uint8_t>("uint8"), number<int32_t>("int32"),
      number<uint32_t>("uint32"),    number<int64_t>("int64"), number<uint64_t>("uint64"),
      number<gloo::float16>("half"), number<float>("float"),   number<double>("double"),
      {"bfloat16", 2, {}},           {"f8e4m3", 1, {}},        {"f8e5m2", 1, {}}};
  return all;
}

/// One collective with what its call needs. Everything moves as bytes; `add` knows the type.
struct Call {
  Communicator& communicator;
  const std::shared_ptr<gloo::Context>& context;
  std::int64_t count;
  int size;
  Reduction add;
  int root;
  int destination;
  int source;
  char* send;
  char* receive;

  std::size_t bytes(std::int64_t blocks = 1) const {
    return static_cast<std::size_t>(blocks * count * size);
  }
  int rank() const { return context->rank; }
  int ranks() const { return context->size; }
};

/// Hands bytes to reductions as the elements that they are.
template <class Options>
void set_elements(Options& options, const Call& c, char* in, char* out, std::int64_t blocks) {
  const auto elements = static_cast<std::size_t>(blocks * c.count);
  const auto set = [&](auto element) {
    using T = decltype(element);
    if (in != out) options.setInput(reinterpret_cast<T*>(in), elements);
    options.setOutput(reinterpret_cast<T*>(out), elements);
  };
  if (c.size == 1) set(std::uint8_t{});
  if (c.size == 2) set(std::uint16_t{});
  if (c.size == 4) set(std::uint32_t{});
  if (c.size == 8) set(std::uint64_t{});
}

void sum_up(const Call& c, char* out, std::int64_t blocks) {
  gloo::AllreduceOptions options(c.context);
  options.setReduceFunction(c.add);
  set_elements(options, c, c.send, out, blocks);
  gloo::allreduce(options);
}

void all_reduce(const Call& c) { sum_up(c, c.receive, 1); }

/// Gloo has none that takes new buffers at every call: the whole is added up, of which every rank
/// keeps its share, as PyTorch does on Gloo.
void reduce_scatter(const Call& c) {
  c.communicator.summed.resize(c.bytes(c.ranks()));
  sum_up(c, c.communicator.summed.data(), c.ranks());
  std::memcpy(c.receive, c.communicator.summed.data() + c.bytes(c.rank()), c.bytes());
}

void all_gather(const Call& c) {
  gloo::AllgatherOptions options(c.context);
  if (c.send != c.receive + c.bytes(c.rank())) options.setInput(c.send, c.bytes());
  options.setOutput(c.receive, c.bytes(c.ranks()));
  gloo::allgather(options);
}

void all_to_all(const Call& c) {
  gloo::AlltoallOptions options(c.context);
  options.setInput(c.send, c.bytes(c.ranks()));
  options.setOutput(c.receive, c.bytes(c.ranks()));
  gloo::alltoall(options);
}

void broadcast(const Call& c) {
  gloo::BroadcastOptions options(c.context);
  options.setRoot(c.root);
  if (c.rank() == c.root && c.send != c.receive) options.setInput(c.send, c.bytes());
  options.setOutput(c.receive, c.bytes());
  gloo::broadcast(options);
}

void reduce(const Call& c) {
  gloo::ReduceOptions options(c.context);
  options.setRoot(c.root);
  options.setReduceFunction(c.add);
  set_elements(options, c, c.send, c.receive, 1);
  gloo::reduce(options);
}

void gather(const Call& c) {
  gloo::GatherOptions options(c.context);
  options.setRoot(c.root);
  options.setInput(c.send, c.bytes());
  if (c.rank() == c.root) options.setOutput(c.receive, c.bytes(c.ranks()));
  gloo::gather(options);
}

void scatter(const Call& c) {
  gloo::ScatterOptions options(c.context);
  options.setRoot(c.root);
  if (c.rank() == c.root) {
    std::vector<char*> blocks;
    for (int i = 0; i < c.ranks(); ++i) blocks.push_back(c.send + c.bytes(i));
    options.setInputs(blocks, c.bytes());
  }
  options.setOutput(c.receive, c.bytes());
  gloo::scatter(options);
}

void send_receive(const Call& c) {
  if (c.destination == c.rank() && c.source == c.rank()) {  // Gloo has no connection for it
    std::memmove(c.receive, c.send, c.bytes());
    return;
  }
  constexpr std::uint64_t slot = 1;
  const auto out = c.context->createUnboundBuffer(c.send, c.bytes());
  const auto in = c.context->createUnboundBuffer(c.receive, c.bytes());
  if (c.destination >= 0) out->send(c.destination, slot);
  if (c.source >= 0) in->recv(c.source, slot);
  if (c.destination >= 0) out->waitSend(c.context->getTimeout());
  if (c.source >= 0) in->waitRecv(c.context->getTimeout());
}

void barrier(const Call& c) {
  gloo::BarrierOptions options(c.context);
  gloo::barrier(options);
}

struct Operation {
  std::string_view name;
  void (*run)(const Call&);
  bool reduces = false;
};

constexpr std::array<Operation, 10> operations{{{"all_reduce", all_reduce, true},
                                                {"all_gather", all_gather},
                                                {"reduce_scatter", reduce_scatter, true},
                                                {"all_to_all", all_to_all},
                                                {"broadcast", broadcast},
                                                {"reduce", reduce, true},
                                                {"gather", gather},
                                                {"scatter", scatter},
                                                {"send_receive", send_receive},
                                                {"barrier", barrier}}};

template <class Entries>
auto find(const Entries& entries, std::string_view name) {
  for (const auto& entry : entries)
    if (entry.name == name) return &entry;
  return static_cast<decltype(&*entries.begin())>(nullptr);
}

Reduction reduction_of(const Type& type, std::string_view name) {
  constexpr std::array<std::string_view, 4> names{"sum", "prod", "min", "max"};
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return type.reductions[i];
  return nullptr;
}

int32_t share(void* world, const void* mine, void* all, int64_t bytes) {
  try {
    Communicator one{of(world)->everyone, {}};
    all_gather({one, one.context, bytes, 1, nullptr, 0, -1, -1,
                static_cast<char*>(const_cast<void*>(mine)), static_cast<char*>(all)});
    return 0;
  } catch (const std::exception& error) {
    of(world)->error = std::string("Gloo: ") + error.what();
    return 1;
  }
}

void* communicator(void* world, const int32_t* members, int32_t count) {
  if (count == 0) return nullptr;
  World& job = *of(world);
  try {
    const std::vector<int32_t> list(members, members + count);
    std::string name = "of";
    int mine = 0;
    for (int32_t i = 0; i < count; ++i) {
      name.append(1, '-').append(std::to_string(members[i]));
      if (members[i] == job.rank) mine = i;
    }
    name.append(1, '/').append(std::to_string(job.made[list]++));
    return new Communicator{connect(job, name, mine, count), {}};
  } catch (const std::exception& error) {
    job.error = std::string("Gloo: ") + error.what();
    return nullptr;
  }
}

void free_communicator(void*, void* communicator) {
  delete static_cast<Communicator*>(communicator);
}

int32_t launch(void* world, void* communicator, const foreshard_collective* collective,
               const void* send, void* receive, void*) {
  World& job = *of(world);
  const Operation* const operation = find(operations, collective->operation);
  const Type* const type = find(types(), collective->dtype);
  if (operation == nullptr || type == nullptr) {
    job.error = std::string("Gloo has no ") +
                (operation == nullptr ? collective->operation : collective->dtype);
    return 1;
  }
  Communicator& one = *static_cast<Communicator*>(communicator);
  const Call call{one,
                  one.context,
                  collective->count,
                  type->size,
                  operation->reduces ? reduction_of(*type, collective->reduction) : nullptr,
                  collective->root,
                  collective->destination,
                  collective->source,
                  static_cast<char*>(const_cast<void*>(send)),
                  static_cast<char*>(receive)};
  if (operation->reduces && !call.add) {
    job.error = std::string("Gloo cannot reduce ") + collective->dtype + " by '" +
                collective->reduction + "'";
    return 1;
  }
  try {
    operation->run(call);
    return 0;
  } catch (const std::exception& error) {
    job.error = std::string("Gloo: ") + error.what();
    return 1;
  }
}

int32_t estimate(void*, void*, const foreshard_collective*, double*) { return 1; }

constexpr foreshard_network table{
    version,  join,  leave,        abort_all,         error,  rank,    ranks, host_memory,
    software, share, communicator, free_communicator, launch, estimate};

}  // namespace

extern "C" __attribute__((visibility("default"))) const foreshard_network*
foreshard_network_gloo() {
  return &table;
}
