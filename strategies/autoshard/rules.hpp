#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "strategies/autoshard/signature.hpp"

/// The sharding rules: one row for each family of operators that are cut alike. Each row is proved
/// by running its operator on ranks that hold pieces, see tests/strategies/autoshard.
namespace strategies::autoshard {

enum class Family : std::uint8_t {
  alias,             ///< the tensor itself
  einsum,            ///< matrix products: `equation`; grouped ones have the expert as a batch label
  linear,            ///< x, weight, bias: `equation`; the part with the first input adds the bias
  linear_pointwise,  ///< add, sub, neg, scaling: linear in all operands together
  pointwise,         ///< any other element-wise work
  compare,           ///< where, clamp, comparisons
  cast,
  view,        ///< reshape, flatten, unflatten, squeeze, unsqueeze
  view_dtype,  ///< the same bytes as another type
  permute,     ///< `dims`: operand dim of each result dim
  expand,      ///< dims of size 1 repeated
  slice,       ///< select, slice, narrow along `dims`; a result without them selects
  sum,         ///< over `dims`, which the result is without; so the next four
  mean,        ///< parts are sums over the whole count
  maximum,
  minimum,
  product,
  along,               ///< needs `dims` whole: var, cumsum, sort, top-k, argmax
  softmax,             ///< forward, and backward of two operands; `dims` whole
  norm,                ///< x, weight, bias: layer and RMS norm of the last dim in `groups` parts
  norm_backward,       ///< dy, x, weight, statistics: dx, dweight, dbias
  rotary,              ///< rotates `groups` heads by position
  embedding,           ///< table, indices; a part with some rows gives zeros for others
  embedding_backward,  ///< dy, indices: dtable
  attention,           ///< q, k, v: output, statistics; `groups` key-value heads in the last dims
  attention_backward,  ///< dout, q, k, v, output, statistics: dq, dk, dv
  latent_keys,         ///< latent attention: keys and values of `groups` heads, shared rotary part
  latent_keys_backward,  ///< dkeys, dvalues: of both operands
  convolution,           ///< images, filters
  concatenate,           ///< along `dims`
  stack,                 ///< along `dims` of the result
  split,                 ///< along `dims`
  index,                 ///< x, indices: index_select along `dims`
  gather,                ///< x, indices of the same dims: along `dims`
  scatter,               ///< x, indices, source: adds along `dims`
  factory,               ///< zeros, ones, full, random numbers
  arange,
  dropout,
  cross_entropy,           ///< logits, labels: sum of exponentials and logit of the label
  cross_entropy_backward,  ///< logits, labels, both of these: dlogits
  nll_loss,                ///< log-probabilities, labels: their sum
  matrix,                  ///< linear algebra on the last two dims
  dispatch,                ///< tokens, experts of each: rows by expert, in `groups` of tokens
  combine,                 ///< rows, experts of each token, weights: tokens
  combine_backward,        ///< dtokens, rows, experts, weights: drows, dweights
  opaque,                  ///< without a rule: whole on every rank
};

inline constexpr std::array<std::pair<std::string_view, Family>, 46> family_names{{
    {"alias", Family::alias},
    {"einsum", Family::einsum},
    {"linear", Family::linear},
    {"linear_pointwise", Family::linear_pointwise},
    {"pointwise", Family::pointwise},
    {"compare", Family::compare},
    {"cast", Family::cast},
    {"view", Family::view},
    {"view_dtype", Family::view_dtype},
    {"permute", Family::permute},
    {"expand", Family::expand},
    {"slice", Family::slice},
    {"sum", Family::sum},
    {"mean", Family::mean},
    {"maximum", Family::maximum},
    {"minimum", Family::minimum},
    {"product", Family::product},
    {"along", Family::along},
    {"softmax", Family::softmax},
    {"norm", Family::norm},
    {"norm_backward", Family::norm_backward},
    {"rotary", Family::rotary},
    {"embedding", Family::embedding},
    {"embedding_backward", Family::embedding_backward},
    {"attention", Family::attention},
    {"attention_backward", Family::attention_backward},
    {"latent_keys", Family::latent_keys},
    {"latent_keys_backward", Family::latent_keys_backward},
    {"convolution", Family::convolution},
    {"concatenate", Family::concatenate},
    {"stack", Family::stack},
    {"split", Family::split},
    {"index", Family::index},
    {"gather", Family::gather},
    {"scatter", Family::scatter},
    {"factory", Family::factory},
    {"arange", Family::arange},
    {"dropout", Family::dropout},
    {"cross_entropy", Family::cross_entropy},
    {"cross_entropy_backward", Family::cross_entropy_backward},
    {"nll_loss", Family::nll_loss},
    {"matrix", Family::matrix},
    {"dispatch", Family::dispatch},
    {"combine", Family::combine},
    {"combine_backward", Family::combine_backward},
    {"opaque", Family::opaque},
}};

std::string_view name_of(Family family);

/// An operator but for the sizes of its tensors.
struct Operation {
  Family family = Family::opaque;
  std::vector<int> dims;      ///< that it works along
  std::int64_t groups = 1;    ///< heads in a dim, or groups of tokens
  std::string equation = {};  ///< of einsum and linear, see parse_signature
};

/// \pre the shapes are those of the operation.
Signature signature_of(const Operation& operation, const Shapes& shapes);

}  // namespace strategies::autoshard
