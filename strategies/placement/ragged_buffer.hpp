#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "strategies/placement/placement.hpp"

/// Tensors of one FSDP group in one buffer of equal shards, so that plain all-gather and
/// reduce-scatter run in place (veScale-FSDP, arXiv 2602.22437):
///
///   minimise S  subject to
///   (a) tensors do not overlap and end by ranks * S;
///   (b) each tensor is one interval [start, start + elements);
///   (c) a shard boundary k * S inside a tensor is a whole number of blocks from its start;
///   (d) all shards have S elements, S a multiple of the alignment.
namespace strategies::placement {

struct BufferTensor {
  std::string name;
  std::int64_t elements = 0;
  std::int64_t block = 1;  ///< elements that must stay on one rank: rows, quantisation tiles
};

struct BufferPlan {
  std::vector<std::size_t> order;    ///< indices of the tensors, as they lie
  std::vector<std::int64_t> starts;  ///< by tensor, as given
  int ranks = 1;
  std::int64_t shard = 0;        ///< S, elements
  std::int64_t padding = 0;      ///< ranks * S less all elements
  std::int64_t lower_bound = 0;  ///< no order has a smaller S
  bool optimal = false;          ///< no order has a smaller S: bound met, or all orders tried
};

/// The least S for the tensors in the order given, each as early as it fits; gaps, also before the
/// first, are padding. Exact: whether an S fits is not monotone in S (6 elements in blocks of 2 on
/// 4 ranks: 2 and 4 fit, 3 does not), see ragged_buffer_search.cpp for the proof.
base::Result<BufferPlan> plan_buffer_in_order(const std::vector<BufferTensor>& tensors, int ranks,
                                              std::int64_t alignment = 1,
                                              const base::SourceRef& where = {});

/// The least S over orders too: sorted orders, then all orders where there are at most 5,040
/// different ones, else moves of single tensors, until the lower bound is met or a budget of trials
/// (the same on every machine) is spent. NP-hard (Partition), so the plan says whether it is
/// proven.
base::Result<BufferPlan> plan_buffer(const std::vector<BufferTensor>& tensors, int ranks,
                                     std::int64_t alignment = 1, const base::SourceRef& where = {});

/// Tensor `index` of the plan as a placement: all `dims` dims flattened, units the blocks or
/// elements that each shard has of it, without their common factor.
RaggedShard ragged_shard_of(const BufferPlan& plan, const std::vector<BufferTensor>& tensors,
                            std::size_t index, int dims);

}  // namespace strategies::placement
