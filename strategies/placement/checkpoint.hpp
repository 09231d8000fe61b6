#pragma once

#include <cstdint>
#include <vector>

#include "base/units.hpp"
#include "strategies/placement/distribution.hpp"

/// Checkpoints of sharded tensors: each rank writes what it holds as boxes, without communication,
/// and a loader under any other layout, on any other mesh, reads what it needs of them (PyTorch's
/// distributed checkpoint; ragged boxes as in veScale-FSDP, arXiv 2602.22437).
namespace strategies::placement {

struct SavedBox {
  int writer = 0;
  Box box;

  bool operator==(const SavedBox&) const = default;
};

/// The boxes of a tensor, each element once: of copies the rank at coordinate 0 writes. A rank has
/// at most 2p - 1 boxes for p ragged dims (as many again for each further piece that an
/// InterleavedShard or StridedShard beside it makes); one where it holds a box. A Partial cannot be
/// saved.
base::Result<std::vector<SavedBox>> plan_save(const Layout& layout, const Shape& shape,
                                              const Mesh& mesh, const base::SourceRef& where = {});

/// One loader and one saved box of which it needs `elements`.
struct Read {
  int loader = 0;
  std::size_t box = 0;  ///< in LoadPlan::saved
  std::int64_t elements = 0;

  bool operator==(const Read&) const = default;
};

struct LoadPlan {
  std::vector<SavedBox> saved;
  std::vector<Read> reads;  ///< by loader, then box: the read matrix without its zeros
  int loaders = 1;
  int copies = 1;  ///< loaders that want the same elements
};

base::Result<LoadPlan> plan_load(const Layout& saved, const Mesh& saved_mesh, const Layout& loaded,
                                 const Mesh& loaded_mesh, const Shape& shape,
                                 const base::SourceRef& where = {});

/// What a read of a part of a box costs: the part, or all of it (a file format without ranges).
enum class ReadUnit : std::uint8_t { range, whole_box };

struct StorageRates {
  base::BytesPerSecond storage;   ///< of all readers together
  base::BytesPerSecond per_rank;  ///< of one reader
  base::BytesPerSecond network;   ///< into one rank, from other ranks
};

struct LoadCost {
  base::Bytes read;            ///< by all loaders, each for itself
  base::Bytes largest_read;    ///< by one loader
  base::Seconds each_reads;    ///< every loader reads all it needs
  base::Seconds copies_share;  ///< loaders of the same elements read a share each and exchange
};

/// Bounds by bandwidth: max(all bytes / storage, largest reader / per_rank), and for the exchange
/// the bytes that a loader lacks / network after it. No latencies. \pre rates above 0.
LoadCost load_cost(const LoadPlan& plan, int bits_per_element, ReadUnit unit,
                   const StorageRates& rates);

}  // namespace strategies::placement
