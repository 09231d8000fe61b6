#pragma once

namespace base {

/// Collective operations, as NCCL and MPI name them. Sizes everywhere follow nccl-tests:
/// all_reduce, broadcast, reduce: the buffer of a rank; all_gather, reduce_scatter: the whole
/// buffer of all ranks; all_to_all: the send buffer of a rank; send_receive: the message.
enum class Collective {
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,
  broadcast,
  reduce,
  send_receive,
};

}  // namespace base
