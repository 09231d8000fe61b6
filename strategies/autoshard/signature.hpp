#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "strategies/placement/distribution.hpp"

/// How an operator may be cut, said by labels: two dims with the same label walk through the same
/// indices, as in an einsum.
namespace strategies::autoshard {

/// Operand and result sizes of one operator.
struct Shapes {
  std::vector<placement::Shape> operands;
  std::vector<placement::Shape> results;
};

/// What a dim of a tensor is made of.
struct LabelledDim {
  int label = -1;          ///< the outermost part of the dim; -1: the dim is never cut
  std::int64_t inner = 1;  ///< indices of the dim for one of the label
};

using LabelledTensor = std::vector<LabelledDim>;

struct Label {
  std::int64_t size = 0;
  /// Cut into equal parts only, because a dim of several parts (heads, merged dims) is cut with it.
  bool even = false;
};

/// Cutting a label cuts every operand and result dim that has it. An operand without it must be
/// replicated; a result without it is a contribution of each part, pending `reduction`.
struct Signature {
  std::vector<Label> labels;
  std::vector<LabelledTensor> operands;
  std::vector<LabelledTensor> results;
  placement::Reduction reduction = placement::Reduction::sum;
  /// Operands that may together be pending `reduction` while the others are replicated: all results
  /// then are, too. Empty: none may.
  std::vector<int> passes;
};

/// Reads a signature in the notation of einops: "b s i, o i -> b s o". A letter is a label and
/// binds its size; `_` is a dim that is never cut; "(h d)" is a dim made of h groups of d, of which
/// only h can be cut, and evenly; "..." is as many dims as are left, the same from the right in all
/// tensors. A dim of size 1 has no label, nor has a label that is inside a group somewhere.
/// `sizes`: of labels that appear in groups only.
/// \pre well formed, and the shapes fit it.
Signature parse_signature(std::string_view notation, const Shapes& shapes,
                          const std::map<char, std::int64_t>& sizes = {});

/// What the ranks along each mesh dim do with an operator.
struct Sharding {
  static constexpr int same = -1;     ///< all the same
  static constexpr int pending = -2;  ///< the same to contributions: Signature::passes

  std::vector<int> uses;   ///< by mesh dim: the label that it cuts, or one of the above
  std::vector<int> order;  ///< of the cuts, see placement::Layout; identity but for shared labels

  bool operator==(const Sharding&) const = default;
};

/// Every sharding of which the sizes allow it: cut after cut, what is left of a label (rounded up)
/// is at least the mesh dim; equal parts where they must be. Mesh dims that cut the same label do
/// so in any order. Mesh dims of one rank do the same as all. Later mesh dims vary fastest.
std::vector<Sharding> enumerate_shardings(const Signature& signature, const placement::Mesh& mesh);

/// The layout of an operand or a result.
placement::Layout operand_layout(const Signature& signature, const Sharding& sharding, int operand);
placement::Layout result_layout(const Signature& signature, const Sharding& sharding, int result);

/// Largest part of each label on a rank.
std::vector<std::int64_t> local_sizes(const Signature& signature, const Sharding& sharding,
                                      const placement::Mesh& mesh);

/// Elements of a tensor of `shape` on a rank that has `sizes` of each label.
double local_elements(const LabelledTensor& tensor, const placement::Shape& shape,
                      const std::vector<std::int64_t>& sizes);

}  // namespace strategies::autoshard
