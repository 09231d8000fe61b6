#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/runtime/nccl/call.hpp"
#include "calibrate/runtime/nccl/communicator.hpp"
#include "calibrate/runtime/nccl/watchdog.hpp"

namespace calibrate::runtime::nccl {

/// A rank of a job. Ranks are processes, or threads of one: each has a world of its own.
class World {
 public:
  /// Throws Failure where the others do not come in time.
  explicit World(const foreshard_rendezvous& rendezvous);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  int rank() const { return rank_; }
  int ranks() const { return ranks_; }

  void share(const void* mine, void* all, std::int64_t bytes);
  /// NULL for a rank that is in none.
  Communicator* split(const std::int32_t* ranks, std::int32_t count);
  void free(Communicator* communicator);
  /// A barrier without a stream is the host's: it returns when all ranks have come.
  void launch(const Communicator& communicator, const foreshard_collective& collective,
              const void* send, void* receive, cudaStream_t stream);
  /// Seconds that NCCL's own model gives; throws Failure where it gives none.
  double estimate(const Communicator& communicator, const foreshard_collective& collective);
  /// Ends everything that runs, here and on the other ranks.
  void abort();

  std::string error;  ///< of the last call that failed

 private:
  /// Makes a call that may wait for other ranks while the watchdog knows of it; what it launches is
  /// in `stream`.
  void watched(const std::function<void()>& call, cudaStream_t stream);
  /// The host waits for what it launched itself.
  void wait();
  /// In this thread.
  void use_device() const;
  std::optional<std::string> failure();
  bool done() const;
  void abort_all();

  int rank_;
  int ranks_;
  int device_;
  std::string place_;
  std::chrono::seconds limit_;
  cudaStream_t stream_ = nullptr;   ///< of `share`, and of nothing that is measured
  cudaEvent_t launched_ = nullptr;  ///< after the last launch
  void* scratch_ = nullptr;         ///< what a barrier reduces
  std::atomic<bool> calling_ = false;
  std::mutex mutex_;  ///< of the communicators, which the watchdog sees, too
  std::vector<std::unique_ptr<Communicator>> communicators_;  ///< the world's is the first
  std::optional<Watchdog> watchdog_;
  std::optional<Patrol> patrol_;
};

}  // namespace calibrate::runtime::nccl
