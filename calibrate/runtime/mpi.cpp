// The C interface alone: Open MPI's C++ classes are deprecated.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/runtime/runtime.h"

/// The runtime "mpi": collectives of the MPI library that this was built with, from host memory.
namespace {

struct World {
  int rank = 0;
  int ranks = 1;
  std::string error;
};

std::string join_error;

World* of(void* world) { return static_cast<World*>(world); }

struct Type {
  std::string_view name;
  MPI_Datatype type;
};

/// MPI has no 16-bit floats: they can be moved, but not added.
MPI_Datatype type_of(std::string_view name, bool reduces) {
  const std::array<Type, 8> types{{{"int8", MPI_INT8_T},
                                   {"uint8", MPI_UINT8_T},
                                   {"int32", MPI_INT32_T},
                                   {"uint32", MPI_UINT32_T},
                                   {"int64", MPI_INT64_T},
                                   {"uint64", MPI_UINT64_T},
                                   {"float", MPI_FLOAT},
                                   {"double", MPI_DOUBLE}}};
  for (const Type& type : types)
    if (type.name == name) return type.type;
  if (!reduces && (name == "half" || name == "bfloat16")) return MPI_UINT16_T;
  if (!reduces && (name == "f8e4m3" || name == "f8e5m2")) return MPI_UINT8_T;
  return MPI_DATATYPE_NULL;
}

MPI_Op reduction_of(std::string_view name) {
  if (name == "sum") return MPI_SUM;
  if (name == "prod") return MPI_PROD;
  if (name == "min") return MPI_MIN;
  if (name == "max") return MPI_MAX;
  return MPI_OP_NULL;
}

int32_t outcome(World& world, int code, const char* what) {
  if (code == MPI_SUCCESS) return 0;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  world.error =
      std::string(what) + ": " + std::string(text.data(), static_cast<std::size_t>(length));
  return 1;
}

const char* version() { return FORESHARD_RUNTIME_ABI; }

void* join(const foreshard_rendezvous*) {
  // Streams of one rank are threads, each with a communicator of its own.
  int initialised = 0;
  MPI_Initialized(&initialised);
  int provided = MPI_THREAD_MULTIPLE;
  if (initialised == 0 && MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided) != 0) {
    join_error = "MPI_Init_thread failed";
    return nullptr;
  }
  if (provided < MPI_THREAD_MULTIPLE) {
    join_error = "this MPI library does not let several threads call it (MPI_THREAD_MULTIPLE)";
    return nullptr;
  }
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  auto world = std::make_unique<World>();
  MPI_Comm_rank(MPI_COMM_WORLD, &world->rank);
  MPI_Comm_size(MPI_COMM_WORLD, &world->ranks);
  return world.release();
}

void leave(void* world) {
  delete of(world);
  MPI_Finalize();
}

void abort_all(void*) { MPI_Abort(MPI_COMM_WORLD, 1); }
const char* error(void* world) {
  return world == nullptr ? join_error.c_str() : of(world)->error.c_str();
}
int32_t rank(void* world) { return of(world)->rank; }
int32_t ranks(void* world) { return of(world)->ranks; }
int32_t host_memory(void*) { return 1; }

int32_t software(void*, int32_t index, foreshard_software* software) {
  if (index != 0) return 1;
  *software = {};
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  // "Open MPI v4.1.4, package: …": name and version end at the first comma.
  const std::string whole(text.data(), static_cast<std::size_t>(length));
  const std::string first = whole.substr(0, whole.find_first_of(",\n"));
  const std::size_t space = first.rfind(' ');
  const std::string number = space == std::string::npos ? "" : first.substr(space + 1);
  std::snprintf(software->name, sizeof software->name, "%s", first.substr(0, space).c_str());
  std::snprintf(software->version, sizeof software->version, "%s",
                number.c_str() + (number.starts_with('v') ? 1 : 0));
  return 0;
}

int32_t share(void* world, const void* mine, void* all, int64_t bytes) {
  return outcome(*of(world),
                 MPI_Allgather(mine, static_cast<int>(bytes), MPI_BYTE, all,
                               static_cast<int>(bytes), MPI_BYTE, MPI_COMM_WORLD),
                 "MPI_Allgather");
}

void* communicator(void* world, const int32_t* members, int32_t count) {
  if (count == 0) return nullptr;
  MPI_Group everyone = MPI_GROUP_NULL;
  MPI_Group some = MPI_GROUP_NULL;
  auto made = std::make_unique<MPI_Comm>(MPI_COMM_NULL);
  MPI_Comm_group(MPI_COMM_WORLD, &everyone);
  MPI_Group_incl(everyone, count, members, &some);
  const int code = MPI_Comm_create_group(MPI_COMM_WORLD, some, 0, made.get());
  MPI_Group_free(&some);
  MPI_Group_free(&everyone);
  if (outcome(*of(world), code, "MPI_Comm_create_group") != 0) return nullptr;
  MPI_Comm_set_errhandler(*made, MPI_ERRORS_RETURN);
  return made.release();
}

void free_communicator(void*, void* communicator) {
  auto* const one = static_cast<MPI_Comm*>(communicator);
  MPI_Comm_free(one);
  delete one;
}

/// One collective with what its call needs.
struct Call {
  MPI_Comm comm;
  MPI_Datatype type;
  MPI_Op reduction;
  int count;
  int root;
  int destination;
  int source;
  const void* send;
  void* receive;
  int rank;
  int ranks;

  std::int64_t block() const {
    int size = 0;
    MPI_Type_size(type, &size);
    return std::int64_t{size} * count;
  }
  /// Whether what is sent lies `blocks` blocks into what is received.
  bool in_place(int blocks) const {
    return send == static_cast<const char*>(receive) + blocks * block();
  }
  const void* sent(int blocks) const { return in_place(blocks) ? MPI_IN_PLACE : send; }
};

int all_reduce(const Call& c) {
  return MPI_Allreduce(c.sent(0), c.receive, c.count, c.type, c.reduction, c.comm);
}
int all_gather(const Call& c) {
  return MPI_Allgather(c.sent(c.rank), c.count, c.type, c.receive, c.count, c.type, c.comm);
}
/// In place the result of a rank takes the place of its block; MPI leaves it at the beginning.
int reduce_scatter(const Call& c) {
  if (!c.in_place(-c.rank))
    return MPI_Reduce_scatter_block(c.send, c.receive, c.count, c.type, c.reduction, c.comm);
  void* const buffer = const_cast<void*>(c.send);
  const int code =
      MPI_Reduce_scatter_block(MPI_IN_PLACE, buffer, c.count, c.type, c.reduction, c.comm);
  std::memmove(c.receive, buffer, static_cast<std::size_t>(c.block()));
  return code;
}
int all_to_all(const Call& c) {
  return MPI_Alltoall(c.sent(0), c.count, c.type, c.receive, c.count, c.type, c.comm);
}
int broadcast(const Call& c) {
  if (c.rank == c.root && c.send != c.receive)
    std::memcpy(c.receive, c.send, static_cast<std::size_t>(c.block()));
  return MPI_Bcast(c.receive, c.count, c.type, c.root, c.comm);
}
int reduce(const Call& c) {
  const void* const send = c.rank == c.root ? c.sent(0) : c.send;
  return MPI_Reduce(send, c.receive, c.count, c.type, c.reduction, c.root, c.comm);
}
int gather(const Call& c) {
  const void* const send = c.rank == c.root ? c.sent(c.rank) : c.send;
  return MPI_Gather(send, c.count, c.type, c.receive, c.count, c.type, c.root, c.comm);
}
int scatter(const Call& c) {
  void* receive = c.receive;
  if (c.rank == c.root && c.in_place(-c.rank)) receive = MPI_IN_PLACE;
  return MPI_Scatter(c.send, c.count, c.type, receive, c.count, c.type, c.root, c.comm);
}
int send_receive(const Call& c) {
  const int to = c.destination < 0 ? MPI_PROC_NULL : c.destination;
  const int from = c.source < 0 ? MPI_PROC_NULL : c.source;
  return MPI_Sendrecv(c.send, c.count, c.type, to, 0, c.receive, c.count, c.type, from, 0, c.comm,
                      MPI_STATUS_IGNORE);
}
int barrier(const Call& c) { return MPI_Barrier(c.comm); }

struct Operation {
  std::string_view name;
  int (*run)(const Call&);
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

int32_t launch(void* world, void* communicator, const foreshard_collective* collective,
               const void* send, void* receive, void*) {
  for (const Operation& operation : operations) {
    if (operation.name != collective->operation) continue;
    Call call{*static_cast<MPI_Comm*>(communicator),
              type_of(collective->dtype, operation.reduces),
              reduction_of(collective->reduction),
              static_cast<int>(collective->count),
              collective->root,
              collective->destination,
              collective->source,
              send,
              receive,
              0,
              1};
    if (call.type == MPI_DATATYPE_NULL && operation.run != barrier) {
      of(world)->error =
          std::string("MPI cannot ") + (operation.reduces ? "add " : "move ") + collective->dtype;
      return 1;
    }
    if (operation.reduces && call.reduction == MPI_OP_NULL) {
      of(world)->error = std::string("MPI has no reduction '") + collective->reduction + "'";
      return 1;
    }
    if (collective->count != call.count) {
      of(world)->error = "MPI counts at most 2^31 - 1 elements";
      return 1;
    }
    MPI_Comm_rank(call.comm, &call.rank);
    MPI_Comm_size(call.comm, &call.ranks);
    return outcome(*of(world), operation.run(call), collective->operation);
  }
  of(world)->error = std::string("MPI has no ") + collective->operation;
  return 1;
}

int32_t estimate(void*, void*, const foreshard_collective*, double*) { return 1; }

constexpr foreshard_network table{
    version,  join,  leave,        abort_all,         error,  rank,    ranks, host_memory,
    software, share, communicator, free_communicator, launch, estimate};

}  // namespace

extern "C" __attribute__((visibility("default"))) const foreshard_network* foreshard_network_mpi() {
  return &table;
}
