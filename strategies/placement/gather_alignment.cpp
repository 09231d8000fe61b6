#include "strategies/placement/gather_alignment.hpp"

namespace strategies::placement {

GatherAlignment gather_alignment(const std::vector<Piece>& pieces, int bits_per_element) {
  GatherAlignment alignment;
  for (const Piece& piece : pieces) {
    const std::int64_t bits = piece.ragged_offset * bits_per_element;
    alignment.offsets.push_back(bits / 8);
    alignment.remainders.push_back(bits / 8 % gather_alignment_bytes);
    if (piece.elements.size() > 0 && bits % (8 * gather_alignment_bytes) != 0)
      ++alignment.misaligned;
  }
  return alignment;
}

}  // namespace strategies::placement
