#include "strategies/autoshard/rules.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.hpp"
#include "base/name_table.hpp"

namespace strategies::autoshard {

namespace {

using placement::Reduction;
using placement::Shape;

/// Operands that may be pending together.
enum class Passes { none, first, all, first_and_last };

/// The labels of an operation: a fixed notation, or one made from its attributes.
struct Notation {
  std::string text;
  std::map<char, std::int64_t> sizes;
};
using Maker = Notation (*)(const Operation&, const Shapes&);

struct Rule {
  Family family;
  Passes passes;
  Maker make;
  Reduction reduction = Reduction::sum;
};

std::string letter(std::size_t index) { return std::string(1, static_cast<char>('a' + index)); }

bool contains(const std::vector<int>& values, std::size_t value) {
  return std::find(values.begin(), values.end(), static_cast<int>(value)) != values.end();
}

std::string repeated(std::string_view text, std::size_t times) {
  return fmt::format("{}", fmt::join(std::vector<std::string_view>(times, text), ","));
}

Notation equation(const Operation& operation, const Shapes&) { return {operation.equation, {}}; }

/// The same dims, from the right, in all operands and results.
Notation element_wise(const Operation&, const Shapes& shapes) {
  return {repeated("...", shapes.operands.size()) + "->" + repeated("...", shapes.results.size()),
          {}};
}

/// A letter for each dim of the tensor, `_` for `dims`; without these when it has fewer dims than
/// the first operand.
std::string whole_along(const std::vector<int>& dims, const Shape& tensor, std::size_t rank) {
  std::string text;
  for (std::size_t d = 0; d < rank; ++d) {
    if (!contains(dims, d))
      text += letter(d) + " ";
    else if (tensor.size() == rank)
      text += "_ ";
  }
  return text;
}

Notation along(const Operation& operation, const Shapes& shapes) {
  const std::size_t rank = shapes.operands.front().size();
  std::vector<std::string> operands;
  std::vector<std::string> results;
  for (const Shape& shape : shapes.operands)
    operands.push_back(whole_along(operation.dims, shape, rank));
  for (const Shape& shape : shapes.results)
    results.push_back(whole_along(operation.dims, shape, rank));
  return {fmt::format("{}->{}", fmt::join(operands, ","), fmt::join(results, ",")), {}};
}

Notation reduced(const Operation& operation, const Shapes& shapes) {
  const Shape& operand = shapes.operands.front();
  std::string from;
  std::string to;
  for (std::size_t d = 0; d < operand.size(); ++d) {
    from += letter(d) + " ";
    if (!contains(operation.dims, d)) to += letter(d) + " ";
  }
  return {from + "->" + to, {}};
}

/// Dims of the operand and of the result that hold the same indices in runs of dims: the outermost
/// part that both have in common can be cut.
Notation view(const Operation&, const Shapes& shapes) {
  const Shape& from = shapes.operands.front();
  const Shape& to = shapes.results.front();
  Notation notation;
  std::string left;
  std::string right;
  std::size_t i = 0;
  std::size_t j = 0;
  const auto dim = [](const Shape& shape, std::size_t at) {
    return at < shape.size() ? shape[at] : std::int64_t{1};
  };
  while (i < from.size() || j < to.size()) {
    // Leading ones belong to nobody.
    if (i < from.size() && from[i] == 1) {
      left += "_ ";
      ++i;
      continue;
    }
    if (j < to.size() && to[j] == 1) {
      right += "_ ";
      ++j;
      continue;
    }
    const char label = static_cast<char>('a' + notation.sizes.size());
    notation.sizes[label] = std::gcd(dim(from, i), dim(to, j));
    std::int64_t a = from[i++];
    std::int64_t b = to[j++];
    left += fmt::format("({}Z) ", label);
    right += fmt::format("({}Z) ", label);
    while (a != b) {
      if (a < b) {
        a *= from[i++];
        left += "_ ";
      } else {
        b *= to[j++];
        right += "_ ";
      }
    }
  }
  notation.text = left + "->" + right;
  return notation;
}

Notation permuted(const Operation& operation, const Shapes& shapes) {
  std::string from;
  std::string to;
  for (std::size_t d = 0; d < shapes.operands.front().size(); ++d) from += letter(d) + " ";
  for (const int d : operation.dims) to += letter(static_cast<std::size_t>(d)) + " ";
  return {from + "->" + to, {}};
}

Notation stacked(const Operation& operation, const Shapes& shapes) {
  std::string from;
  std::string to;
  std::size_t operand_dim = 0;
  for (std::size_t d = 0; d < shapes.results.front().size(); ++d) {
    if (contains(operation.dims, d)) {
      to += "_ ";
      continue;
    }
    from += letter(operand_dim) + " ";
    to += letter(operand_dim++) + " ";
  }
  return {repeated(from, shapes.operands.size()) + "->" + to, {}};
}

Notation indexed(const Operation& operation, const Shapes& shapes) {
  std::string from;
  std::string to;
  for (std::size_t d = 0; d < shapes.operands.front().size(); ++d) {
    const bool along = contains(operation.dims, d);
    from += along ? "_ " : letter(d) + " ";
    to += (along ? "z" : letter(d)) + " ";
  }
  return {from + ", z ->" + to, {}};
}

/// Weights and biases are whole, statistics one for each group.
Notation norm(const Operation& operation, const Shapes& shapes) {
  std::string text = "... (k d)";
  for (std::size_t i = 1; i < shapes.operands.size(); ++i) text += ", _";
  text += "-> ... (k d)";
  for (std::size_t i = 1; i < shapes.results.size(); ++i) text += ", ... k";
  return {text, {{'k', operation.groups}}};
}

Notation norm_backward(const Operation& operation, const Shapes& shapes) {
  std::string text = "... (k d), ... (k d), _";
  for (std::size_t i = 3; i < shapes.operands.size(); ++i) text += ", ... k";
  text += "-> ... (k d)";
  for (std::size_t i = 1; i < shapes.results.size(); ++i) text += ", _";
  return {text, {{'k', operation.groups}}};
}

Notation rotary(const Operation& operation, const Shapes&) {
  return {"b s (k d) -> b s (k d)", {{'k', operation.groups}}};
}

/// Queries may be cut along the sequence; each part needs all keys and values, and adds to the
/// gradients of all.
Notation attention(const Operation& operation, const Shapes&) {
  return {"b s (k q), b _ (k d), b _ (k v) -> b s (k w), b s (k g)", {{'k', operation.groups}}};
}

Notation attention_backward(const Operation& operation, const Shapes&) {
  return {
      "b s (k w), b s (k q), b _ (k d), b _ (k v), b s (k w), b s (k g)"
      "-> b s (k q), b _ (k d), b _ (k v)",
      {{'k', operation.groups}}};
}

/// All heads share the rotary part of their keys.
Notation latent_keys(const Operation& operation, const Shapes&) {
  return {"b s (k z), b s _ -> b s (k d), b s (k v)", {{'k', operation.groups}}};
}

Notation latent_keys_backward(const Operation& operation, const Shapes&) {
  return {"b s (k d), b s (k v) -> b s (k z), b s _", {{'k', operation.groups}}};
}

template <const char* text>
Notation fixed(const Operation&, const Shapes&) {
  return {text, {}};
}

/// Tokens are the first two dims of a tensor and cut along the first of them that has more than
/// one index: groups of tokens, each with its own slots for rows of every expert.
struct Tokens {
  explicit Tokens(const Shape& tokens) : batched(tokens.front() > 1) {}
  std::string with(std::string_view feature) const {
    return fmt::format("{} {}", batched ? "(g x) _" : "_ (g x)", feature);
  }
  bool batched;
};

Notation dispatch(const Operation& operation, const Shapes& shapes) {
  const Tokens tokens(shapes.operands.front());
  return {fmt::format("{}, {} -> e (g c) h", tokens.with("h"), tokens.with("_")),
          {{'g', operation.groups}}};
}

Notation combine(const Operation& operation, const Shapes& shapes) {
  const Tokens tokens(shapes.results.front());
  return {fmt::format("e (g c) h, {} -> {}", repeated(tokens.with("_"), shapes.operands.size() - 1),
                      tokens.with("h")),
          {{'g', operation.groups}}};
}

Notation combine_backward(const Operation& operation, const Shapes& shapes) {
  const Tokens tokens(shapes.operands.front());
  return {fmt::format("{}, e (g c) h, {} -> e (g c) h, {}", tokens.with("h"),
                      repeated(tokens.with("_"), 2), tokens.with("_")),
          {{'g', operation.groups}}};
}

Notation opaque(const Operation&, const Shapes& shapes) {
  const auto side = [](const std::vector<Shape>& tensors) {
    std::vector<std::string> texts;
    for (const Shape& shape : tensors) texts.push_back(std::string(shape.size(), '_'));
    return fmt::format("{}", fmt::join(texts, ","));
  };
  return {side(shapes.operands) + "->" + side(shapes.results), {}};
}

constexpr char view_dtype_text[] = "... _ -> ... _";
constexpr char embedding_text[] = "v h, ... -> ... h";
constexpr char embedding_backward_text[] = "... h, ... -> v h";
constexpr char convolution_text[] = "n i _ _, o i _ _ -> n o _ _";
constexpr char arange_text[] = "-> _";
constexpr char cross_entropy_text[] = "... v, ... -> ... _";
constexpr char cross_entropy_backward_text[] = "... v, ..., ... _ -> ... v";
constexpr char nll_loss_text[] = "... _, ... ->";

constexpr std::array<Rule, family_names.size()> rules{{
    {Family::alias, Passes::first, element_wise},
    {Family::einsum, Passes::none, equation},
    {Family::linear, Passes::none, equation},
    {Family::linear_pointwise, Passes::all, element_wise},
    {Family::pointwise, Passes::none, element_wise},
    {Family::compare, Passes::none, element_wise},
    {Family::cast, Passes::first, element_wise},
    {Family::view, Passes::first, view},
    {Family::view_dtype, Passes::none, fixed<view_dtype_text>},
    {Family::permute, Passes::first, permuted},
    {Family::expand, Passes::first, element_wise},
    {Family::slice, Passes::first, along},
    {Family::sum, Passes::first, reduced},
    {Family::mean, Passes::first, reduced},
    {Family::maximum, Passes::first, reduced, Reduction::max},
    {Family::minimum, Passes::first, reduced, Reduction::min},
    {Family::product, Passes::first, reduced, Reduction::product},
    {Family::along, Passes::none, along},
    {Family::softmax, Passes::none, along},
    {Family::norm, Passes::none, norm},
    {Family::norm_backward, Passes::none, norm_backward},
    {Family::rotary, Passes::first, rotary},
    {Family::embedding, Passes::none, fixed<embedding_text>},
    {Family::embedding_backward, Passes::first, fixed<embedding_backward_text>},
    {Family::attention, Passes::none, attention},
    {Family::attention_backward, Passes::none, attention_backward},
    {Family::latent_keys, Passes::all, latent_keys},
    {Family::latent_keys_backward, Passes::all, latent_keys_backward},
    {Family::convolution, Passes::none, fixed<convolution_text>},
    {Family::concatenate, Passes::all, along},
    {Family::stack, Passes::all, stacked},
    {Family::split, Passes::first, along},
    {Family::index, Passes::first, indexed},
    {Family::gather, Passes::first, along},
    {Family::scatter, Passes::first_and_last, along},
    {Family::factory, Passes::none, element_wise},
    {Family::arange, Passes::none, fixed<arange_text>},
    {Family::dropout, Passes::none, element_wise},
    {Family::cross_entropy, Passes::none, fixed<cross_entropy_text>},
    {Family::cross_entropy_backward, Passes::none, fixed<cross_entropy_backward_text>},
    {Family::nll_loss, Passes::none, fixed<nll_loss_text>},
    {Family::matrix, Passes::none, along},
    {Family::dispatch, Passes::first, dispatch},
    {Family::combine, Passes::first, combine},
    {Family::combine_backward, Passes::none, combine_backward},
    {Family::opaque, Passes::none, opaque},
}};

std::vector<int> passing(Passes passes, std::size_t operands) {
  const int last = static_cast<int>(operands) - 1;
  if (passes == Passes::none) return {};
  if (passes == Passes::first) return {0};
  if (passes == Passes::first_and_last) return {0, last};
  std::vector<int> all(operands);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

std::string_view name_of(Family family) { return base::name_in(family_names, family); }

Signature signature_of(const Operation& operation, const Shapes& shapes) {
  const Rule& rule = rules[static_cast<std::size_t>(operation.family)];
  CHECK_INVARIANT(rule.family == operation.family);
  const Notation notation = rule.make(operation, shapes);
  Signature signature = parse_signature(notation.text, shapes, notation.sizes);
  signature.reduction = rule.reduction;
  signature.passes = passing(rule.passes, shapes.operands.size());
  return signature;
}

}  // namespace strategies::autoshard
