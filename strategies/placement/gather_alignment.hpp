#pragma once

#include <cstdint>
#include <vector>

#include "strategies/placement/distribution.hpp"

namespace strategies::placement {

/// NCCL moves 16 bytes at a time; buffers that begin elsewhere take slower copies (gathers up to
/// about 12 times slower are reported in veScale-FSDP, arXiv 2602.22437).
inline constexpr std::int64_t gather_alignment_bytes = 16;

struct GatherAlignment {
  /// By rank: bytes from the beginning of the gathered buffer to the rank's piece.
  std::vector<std::int64_t> offsets;
  std::vector<std::int64_t> remainders;  ///< of the offsets, modulo 16 bytes
  int misaligned = 0;                    ///< ranks that hold something at a remainder above 0
};

/// Where the pieces of a RaggedShard lie in an all-gather's buffer. Offsets inside a byte (4-bit
/// elements) are rounded down, and count as misaligned.
GatherAlignment gather_alignment(const std::vector<Piece>& pieces, int bits_per_element);

}  // namespace strategies::placement
