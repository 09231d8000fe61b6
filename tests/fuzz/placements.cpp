#include <algorithm>
#include <cstdint>
#include <vector>

#include "strategies/placement/checkpoint.hpp"
#include "strategies/placement/placement.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace strategies::placement;

constexpr int ranks_max = 64;

/// A mesh on which the layout may stand: as many ranks as a RaggedShard has units, else two.
std::vector<int> mesh_for(const Layout& layout) {
  std::vector<int> extents;
  for (const Placement& placement : layout.placements) {
    const auto* ragged = std::get_if<RaggedShard>(&placement);
    extents.push_back(
        ragged == nullptr ? 2 : static_cast<int>(std::min<std::size_t>(ragged->units.size(), 8)));
  }
  return extents;
}

/// Ranks that hold the same elements: those along mesh dims that do not cut.
int copies_of(const Layout& layout, const Mesh& mesh) {
  int copies = 1;
  for (int d = 0; d < mesh.dims(); ++d) {
    const Placement& placement = layout.placements[static_cast<std::size_t>(d)];
    if (is_replicate(placement) || pending(placement)) copies *= mesh.extent(d);
  }
  return copies;
}

/// All ranks together hold each element as often as there are copies, and what is saved of them is
/// each element once.
void check_pieces(const Layout& layout, const Shape& shape, const Mesh& mesh) {
  const auto pieces = distribute(layout, shape, mesh, {"f.yaml", 1, 1});
  if (!pieces) return fuzz::check_refusal(pieces.error());
  CHECK_INVARIANT(pieces->size() == static_cast<std::size_t>(mesh.size()));
  std::vector<int> holders(static_cast<std::size_t>(element_count(shape)), 0);
  const auto hold = [&](const IntervalSet& elements) {
    for (const Interval& interval : elements.intervals())
      for (auto i = interval.begin; i < interval.end; ++i) ++holders[static_cast<std::size_t>(i)];
  };
  const auto all_have = [&](int wanted) {
    return std::all_of(holders.begin(), holders.end(), [&](int n) { return n == wanted; });
  };
  for (const Piece& piece : *pieces) {
    CHECK_INVARIANT(element_count(piece.local_shape) == piece.elements.size());
    hold(piece.elements.flat(shape));
  }
  CHECK_INVARIANT(all_have(copies_of(layout, mesh)));
  const auto saved = plan_save(layout, shape, mesh);
  if (!saved) return fuzz::check_refusal(saved.error());
  std::fill(holders.begin(), holders.end(), 0);
  for (const SavedBox& one : *saved) {
    IndexProduct box;
    for (std::size_t d = 0; d < shape.size(); ++d)
      box.dims.emplace_back(Interval{one.box.offset[d], one.box.offset[d] + one.box.size[d]});
    hold(ElementSet(std::move(box)).flat(shape));
  }
  CHECK_INVARIANT(all_have(1));
}

}  // namespace

void fuzz_one(std::string_view text) {
  const auto layout = parse_layout(text, {"f.yaml", 1, 1});
  if (!layout) return fuzz::check_refusal(layout.error());
  const auto again = parse_layout(format(*layout));
  CHECK_INVARIANT(again && *again == *layout);
  int ranks = 1;
  const std::vector<int> extents = mesh_for(*layout);
  for (const int extent : extents)
    if ((ranks *= extent) > ranks_max) return;
  for (const Shape& shape : {Shape{12}, Shape{7, 5}, Shape{12, 6, 4}, Shape{0, 4}, Shape{}})
    check_pieces(*layout, shape, Mesh(extents));
}
