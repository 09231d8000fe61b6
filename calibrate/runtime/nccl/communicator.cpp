#include "calibrate/runtime/nccl/communicator.hpp"

#include <fmt/format.h>

#include <functional>
#include <memory>

#include "base/name_table.hpp"
#include "calibrate/runtime/failure.hpp"
#include "calibrate/runtime/nccl/meeting.hpp"

namespace calibrate::runtime::nccl {

namespace {

// call.hpp's tables are in NCCL's order, so their indices are NCCL's numbers.
static_assert(ncclNumTypes == static_cast<int>(dtypes.size()));
static_assert(ncclInt8 == 0 && ncclUint64 == 5 && ncclFloat16 == 6 && ncclFloat32 == 7 &&
              ncclFloat64 == 8 && ncclBfloat16 == 9 && ncclFloat8e4m3 == 10);
static_assert(static_cast<int>(ncclNumOps) == static_cast<int>(reductions.size()));
static_assert(ncclSum == 0 && ncclProd == 1 && ncclMax == 2 && ncclMin == 3 && ncclAvg == 4);

/// What a thread that may be left behind works on.
struct Making {
  ncclComm_t made = nullptr;
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  ncclUniqueId id{};

  Making() { config.blocking = 1; }
};

/// Threads begin on device 0: this one goes on where its caller is.
void make(const std::function<void()>& making, std::chrono::seconds limit,
          const std::string& what) {
  int device = 0;
  check(cudaGetDevice(&device), "the device");
  const auto there = [making, device] {
    check(cudaSetDevice(device), "the device");
    making();
  };
  within(there, limit, what, steady_clock());
}

}  // namespace

void check(ncclResult_t result, const std::string& what, ncclComm_t communicator) {
  if (result == ncclSuccess) return;
  const char* last = ncclGetLastError(communicator);
  const bool more = last != nullptr && *last != '\0';
  throw Failure(fmt::format("{}: {}{}{}", what, ncclGetErrorString(result), more ? ": " : "",
                            more ? last : ""));
}

void check(cudaError_t status, const std::string& what) {
  if (status == cudaSuccess) return;
  throw Failure(fmt::format("{}: {}", what, cudaGetErrorString(status)));
}

Communicator::Communicator(const ncclUniqueId& id, int ranks, int rank, std::chrono::seconds limit)
    : ranks_(ranks), limit_(limit) {
  const auto making = std::make_shared<Making>();
  making->id = id;
  make(
      [making, ranks, rank] {
        check(ncclCommInitRankConfig(&making->made, ranks, making->id, rank, &making->config),
              "joining the other ranks", nullptr);
      },
      limit, fmt::format("the other {} ranks", ranks - 1));
  communicator_ = making->made;
}

Communicator::Communicator(const Communicator& parent, int color, int key,
                           std::chrono::seconds limit)
    : limit_(limit) {
  const auto making = std::make_shared<Making>();
  const ncclComm_t from = parent.communicator_;
  make(
      [making, from, color, key] {
        check(ncclCommSplit(from, color, key, &making->made, &making->config), "a communicator",
              from);
      },
      limit, "the other ranks of a communicator");
  communicator_ = making->made;
  if (exists()) check(ncclCommCount(communicator_, &ranks_), "a communicator", communicator_);
}

Communicator::~Communicator() {
  if (!exists()) return;
  const auto leave = [communicator = communicator_] {
    ncclCommFinalize(communicator);
    ncclCommDestroy(communicator);
  };
  std::string ignored;  // whoever does not come now is not needed any more
  guarded(ignored, [&] { make(leave, limit_, "leaving"); });
}

void Communicator::launch(const Call& call, const void* send, void* receive, void* scratch,
                          cudaStream_t stream) const {
  check(enqueue(call, send, receive, scratch, stream),
        "NCCL " + std::string(base::name_in(base::collective_names, call.op)), communicator_);
}

std::optional<double> Communicator::estimate(const Call& call, void* scratch,
                                             cudaStream_t stream) const {
  ncclSimInfo_t told = NCCL_SIM_INFO_INITIALIZER;
  check(ncclGroupStart(), "an estimate", communicator_);
  const ncclResult_t enqueued = enqueue(call, scratch, scratch, scratch, stream);
  const ncclResult_t ended = ncclGroupSimulateEnd(&told);  // whatever was enqueued
  check(enqueued, "an estimate", communicator_);
  check(ended, "an estimate", communicator_);
  if (!(told.estimatedTime > 0)) return std::nullopt;
  return static_cast<double>(told.estimatedTime) * 1e-6;  // NCCL's model counts microseconds
}

std::optional<std::string> Communicator::failure() const {
  ncclResult_t result = ncclSuccess;
  if (!exists()) return std::nullopt;
  ncclCommGetAsyncError(communicator_, &result);
  if (result == ncclSuccess || result == ncclInProgress) return std::nullopt;
  return fmt::format("{}: {}", ncclGetErrorString(result), ncclGetLastError(communicator_));
}

void Communicator::abort() {
  if (exists()) ncclCommAbort(communicator_);
  communicator_ = nullptr;
}

ncclResult_t Communicator::enqueue(const Call& call, const void* send, void* receive, void* scratch,
                                   cudaStream_t stream) const {
  const auto type = static_cast<ncclDataType_t>(call.dtype);
  const auto reduction = static_cast<ncclRedOp_t>(call.reduction);
  const std::size_t count = call.count;
  const int root = call.root;
  const ncclComm_t comm = communicator_;
  using base::Collective;
  switch (call.op) {
    case Collective::all_reduce:
      return ncclAllReduce(send, receive, count, type, reduction, comm, stream);
    case Collective::all_gather: return ncclAllGather(send, receive, count, type, comm, stream);
    case Collective::reduce_scatter:
      return ncclReduceScatter(send, receive, count, type, reduction, comm, stream);
    case Collective::all_to_all: return ncclAlltoAll(send, receive, count, type, comm, stream);
    case Collective::broadcast:
      return ncclBroadcast(send, receive, count, type, root, comm, stream);
    case Collective::reduce:
      return ncclReduce(send, receive, count, type, reduction, root, comm, stream);
    case Collective::gather: return ncclGather(send, receive, count, type, root, comm, stream);
    case Collective::scatter: return ncclScatter(send, receive, count, type, root, comm, stream);
    case Collective::send_receive: return exchange(call, send, receive, stream);
    case Collective::barrier:  // NCCL has none: nobody has the sum before all have come
      return ncclAllReduce(scratch, scratch, 1, ncclInt32, ncclSum, comm, stream);
  }
  return ncclInvalidArgument;
}

ncclResult_t Communicator::exchange(const Call& call, const void* send, void* receive,
                                    cudaStream_t stream) const {
  const auto type = static_cast<ncclDataType_t>(call.dtype);
  ncclResult_t result = ncclGroupStart();
  if (result != ncclSuccess) return result;
  if (call.destination >= 0)
    result = ncclSend(send, call.count, type, call.destination, communicator_, stream);
  if (call.source >= 0 && result == ncclSuccess)
    result = ncclRecv(receive, call.count, type, call.source, communicator_, stream);
  const ncclResult_t ended = ncclGroupEnd();
  return result == ncclSuccess ? ended : result;
}

}  // namespace calibrate::runtime::nccl
