#include "strategies/autoshard/graph_builder.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

using base::DType;
using placement::Shape;

constexpr DType index_type = DType::fp32;       // 4 bytes
constexpr DType statistics_type = DType::fp32;  // of norms, attention and loss

Shape with_last(Shape shape, std::int64_t size) {
  shape.back() = size;
  return shape;
}

struct Equation {
  std::string left;
  std::string right;
  std::string result;
};

Equation read_equation(const std::string& text) {
  const std::size_t comma = text.find(',');
  const std::size_t arrow = text.find("->");
  CHECK_INVARIANT(comma < arrow && arrow != std::string::npos);
  return {text.substr(0, comma), text.substr(comma + 1, arrow - comma - 1), text.substr(arrow + 2)};
}

void bind_sizes(const std::string& dims, const Shape& shape, std::map<char, std::int64_t>& sizes) {
  std::size_t d = 0;
  for (const char c : dims)
    if (c != ' ') sizes[c] = shape[d++];
}

/// Groups of tokens that have slots of their own: as many as divide both.
std::int64_t token_groups(const Shape& tokens, std::int64_t slots) {
  return std::gcd(tokens[0] > 1 ? tokens[0] : tokens[1], slots);
}

}  // namespace

int GraphBuilder::begin_block(std::string name, double copies) {
  block_ = blocks_.size();
  blocks_.push_back({std::move(name), copies});
  return static_cast<int>(block_);
}

Value GraphBuilder::append(Node node) {
  const Block& block = blocks_[block_];
  node.name = block.name + "." + node.name;
  node.copies = block.copies;
  node.block = static_cast<int>(block_);
  node.phase = phase_;
  graph_.nodes.push_back(std::move(node));
  return {static_cast<int>(graph_.nodes.size()) - 1, 0};
}

Value GraphBuilder::emit(std::string name, Operation operation, Work work,
                         const std::vector<Value>& operands, std::vector<TensorType> results) {
  Node node{.name = std::move(name), .operation = std::move(operation), .work = std::move(work)};
  for (const Value& value : operands) {
    node.operands.push_back({{value, blocks_[block_].copies}});
    node.operand_types.push_back(type(value));
  }
  node.results = std::move(results);
  return append(std::move(node));
}

Value GraphBuilder::pass(std::string name, Operation operation, const std::vector<Value>& operands,
                         std::vector<TensorType> results) {
  MemoryWork work{std::vector<double>(operands.size() + results.size(), 1), 1};
  return emit(std::move(name), std::move(operation), std::move(work), operands, std::move(results));
}

Value GraphBuilder::entry(std::string name, const TensorType& type) {
  return append({.name = std::move(name),
                 .operation = {Family::alias},
                 .work = NoWork{},
                 .operands = {{}},
                 .operand_types = {type},
                 .results = {type}});
}

Value GraphBuilder::seed_entry(std::string_view block, Value output) {
  turn_back(block);
  const Value gradient = entry("output.gradient", type(output));
  seed(output, gradient);
  return gradient;
}

void GraphBuilder::link(Value entry, Value from, double copies) {
  Node& node = graph_.nodes[static_cast<std::size_t>(entry.node)];
  CHECK_INVARIANT(type(from) == node.operand_types.front());
  node.operands.front().push_back({from, copies});
}

Value GraphBuilder::input(std::string name, const TensorType& type) {
  const Value value =
      append({.name = name, .role = Role::input, .work = NoWork{}, .results = {type}});
  leaves_.push_back({block_, std::move(name), value, value});
  return value;
}

Value GraphBuilder::indices(std::string name, Shape shape) {
  return append({.name = std::move(name),
                 .role = Role::input,
                 .work = NoWork{},
                 .results = {{std::move(shape), index_type}}});
}

void GraphBuilder::output(std::string name, Value value) {
  const Value resting = emit(name, {Family::alias}, NoWork{}, {value}, {type(value)});
  phase_ = Phase::backward;
  const Value gradient = append({.name = name + ".gradient",
                                 .role = Role::input,
                                 .work = NoWork{},
                                 .results = {type(value)}});
  phase_ = Phase::forward;
  graph_.gradients.emplace_back(resting, gradient);
  seed(value, gradient);
}

Value GraphBuilder::cast(std::string name, Value value, DType to) {
  if (type(value).dtype == to) return value;
  const Value result = pass(std::move(name), {Family::cast}, {value}, {{type(value).shape, to}});
  graph_.nodes.back().still = true;
  return result;
}

Value GraphBuilder::parameter(std::string name, Shape shape) {
  const Value stored = append({.name = name,
                               .role = Role::parameter,
                               .work = NoWork{},
                               .results = {{std::move(shape), precision_.parameter}}});
  const Value used = cast(name + ".cast", stored, precision_.compute);
  leaves_.push_back({block_, std::move(name), stored, used});
  return used;
}

Value GraphBuilder::product(std::string name, Value left, Value right, const std::string& left_dims,
                            const std::string& right_dims, const std::string& result_dims) {
  std::map<char, std::int64_t> sizes;
  bind_sizes(left_dims, type(left).shape, sizes);
  bind_sizes(right_dims, type(right).shape, sizes);
  Shape shape;
  for (const char c : result_dims)
    if (c != ' ') shape.push_back(sizes.at(c));
  Operation operation{.family = Family::einsum,
                      .equation = left_dims + "," + right_dims + "->" + result_dims};
  return emit(std::move(name), std::move(operation), MatrixWork{}, {left, right},
              {{std::move(shape), type(left).dtype}});
}

Value GraphBuilder::einsum(std::string name, Value x, Value weight, std::string equation) {
  const Equation e = read_equation(equation);
  const Value y = product(name, x, weight, e.left, e.right, e.result);
  tape([=, this] {
    const Value dy = gradient_of(y);
    seed(x, product(name + ".input_gradient", dy, weight, e.result, e.right, e.left));
    seed(weight, product(name + ".weight_gradient", x, dy, e.left, e.result, e.right));
  });
  return y;
}

Value GraphBuilder::linear(std::string name, Value x, Value weight, Value bias) {
  Operation operation{.family = Family::linear, .equation = "b s i, o i, o -> b s o"};
  const Value y = emit(name, std::move(operation), MatrixWork{}, {x, weight, bias},
                       {{with_last(type(x).shape, type(weight).shape.front()), type(x).dtype}});
  tape([=, this] {
    const Value dy = gradient_of(y);
    seed(x, product(name + ".input_gradient", dy, weight, "b s o", "o i", "b s i"));
    seed(weight, product(name + ".weight_gradient", x, dy, "b s i", "b s o", "o i"));
    seed(bias, pass(name + ".bias_gradient", {.family = Family::sum, .dims = {0, 1}}, {dy},
                    {type(bias)}));
  });
  return y;
}

Value GraphBuilder::add(std::string name, const std::vector<Value>& terms) {
  const Value y = pass(name, {Family::linear_pointwise}, terms, {type(terms.front())});
  tape([=, this] {
    const Value dy = gradient_of(y);
    for (const Value& term : terms) {
      std::vector<int> outer(type(y).shape.size() - type(term).shape.size());
      std::iota(outer.begin(), outer.end(), 0);
      seed(term, outer.empty() ? dy
                               : pass(name + ".gradient_sum",
                                      {.family = Family::sum, .dims = outer}, {dy}, {type(term)}));
    }
  });
  return y;
}

Value GraphBuilder::pointwise(std::string name, const std::vector<Value>& operands) {
  const Value y = pass(name, {Family::pointwise}, operands, {type(operands.front())});
  tape([=, this] {
    std::vector<Value> reads{gradient_of(y)};
    reads.insert(reads.end(), operands.begin(), operands.end());
    std::vector<TensorType> types;
    for (const Value& operand : operands) types.push_back(type(operand));
    const Value gradients = pass(name + ".backward", {Family::pointwise}, reads, types);
    for (std::size_t i = 0; i < operands.size(); ++i)
      seed(operands[i], {gradients.node, static_cast<int>(i)});
  });
  return y;
}

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

void GraphBuilder::turn_back(std::string_view block) {
  const auto found =
      std::find_if(blocks_.begin(), blocks_.end(), [&](const Block& b) { return b.name == block; });
  CHECK_INVARIANT(found != blocks_.end());
  phase_ = Phase::backward;
  block_ = static_cast<std::size_t>(found - blocks_.begin());
}

void GraphBuilder::differentiate(std::string_view block) {
  turn_back(block);
  for (auto taped = tape_.rbegin(); taped != tape_.rend(); ++taped)
    if (taped->block == block_) taped->backward();
}

Value GraphBuilder::gradient_of(Value value) {
  std::vector<Value>& gradients = gradients_.at(value);
  if (gradients.size() > 1) {
    const std::string& name = graph_.nodes[static_cast<std::size_t>(value.node)].name;
    const std::string own = name.substr(blocks_[block_].name.size() + 1);
    gradients = {pass(own + ".gradient", {Family::linear_pointwise}, gradients, {type(value)})};
  }
  return gradients.front();
}

void GraphBuilder::rest(const Leaf& leaf) {
  block_ = leaf.block;
  const bool parameter =
      graph_.nodes[static_cast<std::size_t>(leaf.stored.node)].role == Role::parameter;
  Value gradient = gradient_of(leaf.used);
  if (parameter) gradient = cast(leaf.name + ".gradient.cast", gradient, precision_.reduce);
  const Value resting =
      emit(leaf.name + ".gradient.rest", {Family::alias}, NoWork{}, {gradient}, {type(gradient)});
  graph_.gradients.emplace_back(leaf.stored, resting);
}

TensorGraph GraphBuilder::finish() {
  phase_ = Phase::backward;
  for (const Leaf& leaf : leaves_) rest(leaf);
  if (graph_.walk.empty())
    for (std::size_t b = 0; b < blocks_.size(); ++b)
      graph_.walk.insert(graph_.walk.end(), static_cast<std::size_t>(blocks_[b].copies),
                         static_cast<int>(b));
  return std::move(graph_);
}

}  // namespace strategies::autoshard
