#include "calibrate/runtime/nccl/world.hpp"

#include <fmt/format.h>
#include <nccl.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "calibrate/runtime/failure.hpp"
#include "calibrate/runtime/nccl/meeting.hpp"

namespace calibrate::runtime::nccl {

namespace {

namespace fs = std::filesystem;

// Words in the folder where ranks meet.
constexpr const char* id_word = "nccl_id";
constexpr const char* abort_word = "nccl_abort";

void check_rendezvous(const foreshard_rendezvous& rendezvous) {
  if (rendezvous.ranks < 1 || rendezvous.rank < 0 || rendezvous.rank >= rendezvous.ranks)
    throw Failure(fmt::format("NCCL has to be told ranks: {} of {} is none", rendezvous.rank,
                              rendezvous.ranks));
  if (rendezvous.ranks > 1 && (rendezvous.place == nullptr || *rendezvous.place == '\0'))
    throw Failure("NCCL needs a folder in which ranks meet");
}

/// What rank 0 makes and all others read.
ncclUniqueId common_id(int rank, int ranks, const std::string& place, std::chrono::seconds limit) {
  ncclUniqueId id{};
  if (rank == 0) {
    check(ncclGetUniqueId(&id), "NCCL", nullptr);
    if (ranks > 1) publish(place, id_word, std::string(id.internal, sizeof id.internal));
    return id;
  }
  const std::string told = await(place, id_word, sizeof id.internal, limit, steady_clock());
  std::memcpy(id.internal, told.data(), sizeof id.internal);
  return id;
}

/// Device memory for the time of a call.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes) { check(cudaMalloc(&begin_, bytes), "device memory"); }
  ~Buffer() { cudaFree(begin_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* get() const { return begin_; }

 private:
  void* begin_ = nullptr;
};

}  // namespace

World::World(const foreshard_rendezvous& rendezvous)
    : rank_(rendezvous.rank),
      ranks_(rendezvous.ranks),
      device_(rendezvous.device),
      place_(rendezvous.place == nullptr ? "" : rendezvous.place),
      limit_(std::max(rendezvous.timeout_s, 1)) {
  check_rendezvous(rendezvous);
  use_device();
  const ncclUniqueId id = common_id(rank_, ranks_, place_, limit_);
  communicators_.push_back(std::make_unique<Communicator>(id, ranks_, rank_, limit_));
  std::error_code gone;  // all have read it; the next job in this folder has another
  if (rank_ == 0 && ranks_ > 1) fs::remove(fs::path(place_) / id_word, gone);
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "a stream");
  check(cudaEventCreateWithFlags(&launched_, cudaEventDisableTiming), "an event");
  check(cudaMalloc(&scratch_, sizeof(std::int32_t)), "device memory");
  watchdog_.emplace(
      Watched{[this] { return failure(); }, [this] { return done(); }, [this] { abort_all(); }},
      limit_, steady_clock());
  patrol_.emplace(*watchdog_);
}

World::~World() {
  patrol_.reset();
  use_device();
  for (; !communicators_.empty(); communicators_.pop_back()) {  // the world's goes last
  }
  if (scratch_ != nullptr) cudaFree(scratch_);
  if (launched_ != nullptr) cudaEventDestroy(launched_);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

void World::share(const void* mine, void* all, std::int64_t bytes) {
  const auto part = static_cast<std::size_t>(bytes);
  const std::size_t whole = part * static_cast<std::size_t>(ranks_);
  if (part == 0) return;
  use_device();
  const Buffer send(part);
  const Buffer receive(whole);
  check(cudaMemcpyAsync(send.get(), mine, part, cudaMemcpyHostToDevice, stream_), "a copy");
  Call call;
  call.op = base::Collective::all_gather;
  call.count = part;
  watched(
      [&] { communicators_.front()->launch(call, send.get(), receive.get(), scratch_, stream_); },
      stream_);
  check(cudaMemcpyAsync(all, receive.get(), whole, cudaMemcpyDeviceToHost, stream_), "a copy");
  wait();
}

void World::wait() {
  check(cudaStreamSynchronize(stream_), "waiting for the other ranks");
  if (const auto verdict = watchdog_->verdict()) throw Failure(*verdict);
}

Communicator* World::split(const std::int32_t* ranks, std::int32_t count) {
  Split split{NCCL_SPLIT_NOCOLOR, 0};
  if (count > 0) split = split_of(ranks, count, rank_, ranks_);
  use_device();
  std::unique_ptr<Communicator> made;
  watched(
      [&] {
        made =
            std::make_unique<Communicator>(*communicators_.front(), split.color, split.key, limit_);
      },
      stream_);
  if (!made->exists()) return nullptr;
  const std::lock_guard lock(mutex_);
  return communicators_.emplace_back(std::move(made)).get();
}

void World::free(Communicator* communicator) {
  use_device();
  std::unique_ptr<Communicator> freed;  // after the lock: it may wait for others
  const std::lock_guard lock(mutex_);
  const auto owned = std::find_if(communicators_.begin(), communicators_.end(),
                                  [&](const auto& one) { return one.get() == communicator; });
  if (owned == communicators_.end()) return;
  freed = std::move(*owned);
  communicators_.erase(owned);
}

void World::launch(const Communicator& communicator, const foreshard_collective& collective,
                   const void* send, void* receive, cudaStream_t stream) {
  const Call call = call_of(collective, communicator.ranks());
  use_device();
  const bool for_host = call.op == base::Collective::barrier && stream == nullptr;
  const cudaStream_t used = for_host ? stream_ : stream;
  watched([&] { communicator.launch(call, send, receive, scratch_, used); }, used);
  if (for_host) wait();
}

double World::estimate(const Communicator& communicator, const foreshard_collective& collective) {
  const Call call = call_of(collective, communicator.ranks());
  use_device();
  std::optional<double> seconds;
  watched([&] { seconds = communicator.estimate(call, scratch_, stream_); }, stream_);
  if (!seconds) throw Failure(fmt::format("NCCL estimates no {}", collective.operation));
  return *seconds;
}

void World::abort() {
  if (!place_.empty() && ranks_ > 1) publish(place_, abort_word, "1");
  abort_all();
}

void World::watched(const std::function<void()>& call, cudaStream_t stream) {
  if (const auto verdict = watchdog_->verdict()) throw Failure(*verdict);
  calling_ = true;
  watchdog_->launched();
  try {
    call();
    check(cudaEventRecord(launched_, stream), "an event");
  } catch (...) {
    calling_ = false;
    throw;
  }
  calling_ = false;
}

void World::use_device() const { check(cudaSetDevice(device_), fmt::format("device {}", device_)); }

std::optional<std::string> World::failure() {
  std::error_code unseen;
  if (ranks_ > 1 && fs::exists(fs::path(place_) / abort_word, unseen))
    return "another rank ended the job";
  const std::lock_guard lock(mutex_);
  for (const auto& communicator : communicators_)
    if (auto failure = communicator->failure()) return failure;
  return std::nullopt;
}

bool World::done() const {
  return !calling_ && cudaSetDevice(device_) == cudaSuccess &&
         cudaEventQuery(launched_) == cudaSuccess;
}

void World::abort_all() {
  cudaSetDevice(device_);
  const std::lock_guard lock(mutex_);
  for (auto communicator = communicators_.rbegin(); communicator != communicators_.rend();
       ++communicator)
    (*communicator)->abort();
}

}  // namespace calibrate::runtime::nccl
