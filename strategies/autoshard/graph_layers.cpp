#include <numeric>
#include <utility>

#include "strategies/autoshard/graph_builder.hpp"

// Norms, attention, embedding, loss and experts, with their backward passes.

namespace strategies::autoshard {

namespace {

using base::DType;
using placement::Shape;

constexpr DType statistics_type = DType::fp32;  // of norms, attention and loss

Shape with_last(Shape shape, std::int64_t size) {
  shape.back() = size;
  return shape;
}

/// Groups of tokens that have slots of their own: as many as divide both.
std::int64_t token_groups(const Shape& tokens, std::int64_t slots) {
  return std::gcd(tokens[0] > 1 ? tokens[0] : tokens[1], slots);
}

}  // namespace

Value GraphBuilder::norm(std::string name, Value x, const std::vector<Value>& parameters,
                         std::int64_t groups) {
  std::vector<Value> reads{x};
  reads.insert(reads.end(), parameters.begin(), parameters.end());
  const TensorType statistics{with_last(type(x).shape, groups), statistics_type};
  // The inverse deviation; with a bias (layer norm) the mean as well.
  std::vector<TensorType> results{type(x)};
  results.insert(results.end(), parameters.size(), statistics);
  const Value y = pass(name, {.family = Family::norm, .groups = groups}, reads, std::move(results));
  tape([=, this] {
    std::vector<Value> operands{gradient_of(y), x, parameters.front()};
    std::vector<TensorType> types{type(x)};
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      operands.push_back({y.node, static_cast<int>(i) + 1});
      types.push_back(type(parameters[i]));
    }
    const Value gradients = pass(
        name + ".backward", {.family = Family::norm_backward, .groups = groups}, operands, types);
    seed(x, gradients);
    for (std::size_t i = 0; i < parameters.size(); ++i)
      seed(parameters[i], {gradients.node, static_cast<int>(i) + 1});
  });
  return y;
}

Value GraphBuilder::rotary(std::string name, Value x, std::int64_t heads) {
  const Operation operation{.family = Family::rotary, .groups = heads};
  const Value y = pass(name, operation, {x}, {type(x)});
  tape([=, this] { seed(x, pass(name + ".backward", operation, {gradient_of(y)}, {type(x)})); });
  return y;
}

Value GraphBuilder::attention(std::string name, Value q, Value k, Value v, base::Attention whole) {
  const std::int64_t groups = whole.kv_heads;
  const TensorType out{with_last(type(q).shape, whole.q_heads * whole.value_dim), type(q).dtype};
  const TensorType statistics{with_last(type(q).shape, whole.q_heads), statistics_type};
  const Value y = emit(name, {.family = Family::attention, .groups = groups}, AttentionWork{whole},
                       {q, k, v}, {out, statistics});
  tape([=, this] {
    base::Attention backward = whole;
    backward.backward = true;
    const Value gradients =
        emit(name + ".backward", {.family = Family::attention_backward, .groups = groups},
             AttentionWork{backward}, {gradient_of(y), q, k, v, y, {y.node, 1}},
             {type(q), type(k), type(v)});
    seed(q, gradients);
    seed(k, {gradients.node, 1});
    seed(v, {gradients.node, 2});
  });
  return y;
}

std::vector<Value> GraphBuilder::split(std::string name, Value x,
                                       const std::vector<std::int64_t>& sizes) {
  const int dim = static_cast<int>(type(x).shape.size()) - 1;
  std::vector<TensorType> results;
  for (const std::int64_t size : sizes)
    results.push_back({with_last(type(x).shape, size), type(x).dtype});
  const Value first =
      emit(name, {.family = Family::split, .dims = {dim}}, NoWork{}, {x}, std::move(results));
  std::vector<Value> parts;
  for (std::size_t i = 0; i < sizes.size(); ++i) parts.push_back({first.node, static_cast<int>(i)});
  tape([=, this] {
    std::vector<Value> gradients;
    for (const Value& part : parts) gradients.push_back(gradient_of(part));
    seed(x, pass(name + ".backward", {.family = Family::concatenate, .dims = {dim}}, gradients,
                 {type(x)}));
  });
  return parts;
}

GraphBuilder::KeysAndValues GraphBuilder::latent_keys(std::string name, Value x, Value rotated,
                                                      std::int64_t heads, std::int64_t value_dim) {
  const std::int64_t plain = type(x).shape.back() / heads - value_dim;
  const std::int64_t width = plain + type(rotated).shape.back();
  const Value keys = pass(name, {.family = Family::latent_keys, .groups = heads}, {x, rotated},
                          {{with_last(type(x).shape, heads * width), type(x).dtype},
                           {with_last(type(x).shape, heads * value_dim), type(x).dtype}});
  const Value values{keys.node, 1};
  tape([=, this] {
    const Value gradients =
        pass(name + ".backward", {.family = Family::latent_keys_backward, .groups = heads},
             {gradient_of(keys), gradient_of(values)}, {type(x), type(rotated)});
    seed(x, gradients);
    seed(rotated, {gradients.node, 1});
  });
  return {keys, values};
}

Value GraphBuilder::embedding(std::string name, Value table, Value indices) {
  Shape shape = type(indices).shape;
  shape.push_back(type(table).shape.back());
  // Of the table, the rows are read that are written.
  const Value y = emit(name, {Family::embedding}, MemoryWork{{0, 1, 2}, 1}, {table, indices},
                       {{std::move(shape), type(table).dtype}});
  tape([=, this] {
    // The gradient is zeroed, then the rows of the tokens are added to it.
    seed(table, emit(name + ".backward", {Family::embedding_backward}, MemoryWork{{3, 1, 1}, 2},
                     {gradient_of(y), indices}, {type(table)}));
  });
  return y;
}

void GraphBuilder::cross_entropy(std::string name, Value logits, Value labels) {
  const TensorType statistics{with_last(type(logits).shape, 2), statistics_type};
  const Value y = pass(name, {Family::cross_entropy}, {logits, labels}, {statistics});
  tape([=, this] {
    seed(logits, pass(name + ".backward", {Family::cross_entropy_backward}, {logits, labels, y},
                      {type(logits)}));
  });
}

GraphBuilder::Routes GraphBuilder::route(std::string name, Value scores, std::int64_t count) {
  const Operation operation{.family = Family::along, .dims = {2}};
  const Shape chosen = with_last(type(scores).shape, count);
  const Value weights =
      pass(name, operation, {scores}, {{chosen, type(scores).dtype}, {chosen, index_type}});
  const Value experts{weights.node, 1};
  tape([=, this] {
    seed(scores, pass(name + ".backward", operation, {gradient_of(weights), weights, experts},
                      {type(scores)}));
  });
  return {weights, experts};
}

Value GraphBuilder::dispatch(std::string name, Value x, Value chosen, std::int64_t experts,
                             std::int64_t slots) {
  const std::int64_t groups = token_groups(type(x).shape, slots);
  const Value rows = pass(name, {.family = Family::dispatch, .groups = groups}, {x, chosen},
                          {{{experts, slots, type(x).shape.back()}, type(x).dtype}});
  tape([=, this] {
    seed(x, pass(name + ".backward", {.family = Family::combine, .groups = groups},
                 {gradient_of(rows), chosen}, {type(x)}));
  });
  return rows;
}

Value GraphBuilder::combine(std::string name, Value rows, const Routes& routes) {
  Shape shape = type(routes.experts).shape;
  const std::int64_t groups = token_groups(shape, type(rows).shape[1]);
  shape = with_last(shape, type(rows).shape.back());
  const Value y = pass(name, {.family = Family::combine, .groups = groups},
                       {rows, routes.experts, routes.weights}, {{shape, type(rows).dtype}});
  tape([=, this] {
    const Value gradients = pass(
        name + ".backward", {.family = Family::combine_backward, .groups = groups},
        {gradient_of(y), rows, routes.experts, routes.weights}, {type(rows), type(routes.weights)});
    seed(rows, gradients);
    seed(routes.weights, {gradients.node, 1});
  });
  return y;
}

}  // namespace strategies::autoshard
