#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <chrono>
#include <optional>
#include <string>

#include "calibrate/runtime/nccl/call.hpp"

namespace calibrate::runtime::nccl {

/// Throws Failure "what: NCCL's words" where a call did not succeed. `communicator` may be NULL.
void check(ncclResult_t result, const std::string& what, ncclComm_t communicator);
void check(cudaError_t status, const std::string& what);

/// A communicator of NCCL. It blocks: one that does not has NCCL 2.28 start a thread for every
/// launch, which would be measured, and cannot say what a launch would take. What may never return
/// is done `within` a limit instead.
class Communicator {
 public:
  /// The world's. All ranks come within the limit, or Failure is thrown.
  Communicator(const ncclUniqueId& id, int ranks, int rank, std::chrono::seconds limit);
  /// Of those ranks of another that give the same color. Every rank of the other calls it, those
  /// that want none with NCCL_SPLIT_NOCOLOR, and have none then.
  Communicator(const Communicator& parent, int color, int key, std::chrono::seconds limit);
  /// Waits for what runs, and for the other ranks within the limit.
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  bool exists() const { return communicator_ != nullptr; }
  int ranks() const { return ranks_; }

  /// `scratch`: four bytes on the device, which a barrier reduces.
  void launch(const Call& call, const void* send, void* receive, void* scratch,
              cudaStream_t stream) const;
  /// Seconds by NCCL's own model; nothing where it has none, as for messages between two ranks.
  std::optional<double> estimate(const Call& call, void* scratch, cudaStream_t stream) const;
  /// What NCCL found wrong meanwhile; nothing while all is well.
  std::optional<std::string> failure() const;
  /// Ends what runs, and the communicator.
  void abort();

 private:
  ncclResult_t enqueue(const Call& call, const void* send, void* receive, void* scratch,
                       cudaStream_t stream) const;
  ncclResult_t exchange(const Call& call, const void* send, void* receive,
                        cudaStream_t stream) const;

  ncclComm_t communicator_ = nullptr;
  int ranks_ = 0;
  std::chrono::seconds limit_;
};

}  // namespace calibrate::runtime::nccl
