#include "strategies/autoshard/graph_builder.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

using base::DType;
using placement::Shape;

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

}  // namespace

GraphBuilder::GraphBuilder(StepPrecision precision) : precision_(precision) {
  CHECK_INVARIANT(base::bits_of(precision.compute) >= 16);
}

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
  TensorType result = type(x);
  result.shape.back() = type(weight).shape.front();
  const Value y =
      emit(name, std::move(operation), MatrixWork{}, {x, weight, bias}, {std::move(result)});
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
