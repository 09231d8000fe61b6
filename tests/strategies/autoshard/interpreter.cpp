#include "tests/strategies/autoshard/interpreter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <string>

#include "tests/strategies/autoshard/interpreter_model.hpp"
#include "tests/strategies/autoshard/interpreter_support.hpp"

namespace strategies::autoshard {

namespace {

void copy(const Operation&, Operands x, Results y) { y[0].piece.data = x[0].piece.data; }

void einsum(const Operation& operation, Operands x, Results y) {
  std::map<char, std::int64_t> sizes;
  std::array<std::string, 4> dims;
  std::size_t tensor = 0;
  const std::size_t arrow = operation.equation.find('>');
  for (std::size_t i = 0; i < operation.equation.size(); ++i) {
    const char c = operation.equation[i];
    if (c == ',') ++tensor;
    if (i == arrow) tensor = 3;
    if (!std::isalpha(c)) continue;
    const Tensor& held = tensor == 3 ? y[0].piece : x[tensor].piece;
    sizes[c] = held.shape[dims[tensor].size()];
    dims[tensor] += c;
  }
  Shape all;
  std::string letters;
  for (const auto& [c, size] : sizes) {
    letters += c;
    all.push_back(size);
  }
  const auto pick = [&](const Index& index, const std::string& of) {
    Index own;
    for (const char c : of) own.push_back(index[letters.find(c)]);
    return own;
  };
  for_each(all, [&](const Index& index) {
    set(y[0].piece, pick(index, dims[3])) +=
        get(x[0].piece, pick(index, dims[0])) * get(x[1].piece, pick(index, dims[1]));
  });
}

void linear(const Operation& operation, Operands x, Results y) {
  einsum(operation, x, y);
  if (place_of(x[0].indices.back(), 0) < 0) return;
  for_each(y[0].piece.shape,
           [&](const Index& i) { set(y[0].piece, i) += get(x[2].piece, {i.back()}); });
}

void linear_pointwise(const Operation&, Operands x, Results y) {
  for_each(y[0].piece.shape, [&](const Index& i) {
    for (std::size_t t = 0; t < x.size(); ++t)
      set(y[0].piece, i) += static_cast<double>(t + 2) * broadcast(x[t].piece, i);
  });
}

void pointwise(const Operation&, Operands x, Results y) {
  for (std::size_t r = 0; r < y.size(); ++r)
    for_each(y[r].piece.shape, [&](const Index& i) {
      double value = broadcast(x[0].piece, i);
      for (const Held& held : x) value = value * broadcast(held.piece, i) + 1;
      set(y[r].piece, i) = value + static_cast<double>(r);
    });
}

void where(const Operation&, Operands x, Results y) {
  for_each(y[0].piece.shape, [&](const Index& i) {
    set(y[0].piece, i) =
        broadcast(x[0].piece, i) > 0 ? broadcast(x[1].piece, i) : broadcast(x[2].piece, i);
  });
}

/// Two numbers as one of twice the size.
void view_dtype(const Operation&, Operands x, Results y) {
  for_each(y[0].piece.shape, [&](const Index& i) {
    const auto dim = static_cast<int>(i.size()) - 1;
    set(y[0].piece, i) = 100 * get(x[0].piece, with(i, dim, 2 * i.back())) +
                         get(x[0].piece, with(i, dim, 2 * i.back() + 1));
  });
}

void permute(const Operation& operation, Operands x, Results y) {
  for_each(y[0].piece.shape, [&](const Index& i) {
    Index from(i.size());
    for (std::size_t d = 0; d < i.size(); ++d)
      from[static_cast<std::size_t>(operation.dims[d])] = i[d];
    set(y[0].piece, i) = get(x[0].piece, from);
  });
}

void expand(const Operation&, Operands x, Results y) {
  for_each(y[0].piece.shape,
           [&](const Index& i) { set(y[0].piece, i) = broadcast(x[0].piece, i); });
}

/// From index 1 on, or index 1.
void slice(const Operation& operation, Operands x, Results y) {
  const int dim = operation.dims.front();
  for_each(y[0].piece.shape, [&](const Index& i) {
    Index from = i;
    if (y[0].piece.shape.size() < x[0].piece.shape.size())
      from.insert(from.begin() + dim, 1);
    else
      from[static_cast<std::size_t>(dim)] += 1;
    set(y[0].piece, i) = get(x[0].piece, from);
  });
}

void reduce(const Operation& operation, Operands x, Results y) {
  double neutral = 0;
  if (operation.family == Family::product) neutral = 1;
  if (operation.family == Family::maximum) neutral = -HUGE_VAL;
  if (operation.family == Family::minimum) neutral = HUGE_VAL;
  std::fill(y[0].piece.data.begin(), y[0].piece.data.end(), neutral);
  double count = 1;
  if (operation.family == Family::mean)
    for (const int d : operation.dims)
      count *= static_cast<double>(x[0].whole[static_cast<std::size_t>(d)]);
  for_each(x[0].piece.shape, [&](const Index& i) {
    const double value = get(x[0].piece, i) / count;
    double& sum = set(y[0].piece, without(i, operation.dims));
    switch (operation.family) {
      case Family::product: sum *= value; break;
      case Family::maximum: sum = std::max(sum, value); break;
      case Family::minimum: sum = std::min(sum, value); break;
      default: sum += value; break;
    }
  });
}

/// The highest values along the dim; where it goes, the variance times the square of the count.
void along(const Operation& operation, Operands x, Results y) {
  const int dim = operation.dims.front();
  for (Held& result : y)
    for_each(result.piece.shape, [&](const Index& i) {
      std::vector<double> values;
      const bool goes = i.size() < x[0].piece.shape.size();
      for (const Held& operand : x)
        for (std::int64_t j = 0; j < operand.piece.shape[static_cast<std::size_t>(dim)]; ++j) {
          Index from = i;
          if (goes)
            from.insert(from.begin() + dim, j);
          else
            from[static_cast<std::size_t>(dim)] = j;
          values.push_back(get(operand.piece, from));
        }
      std::sort(values.rbegin(), values.rend());
      double sum = 0;
      double squares = 0;
      for (const double value : values) {
        sum += value;
        squares += value * value;
      }
      set(result.piece, i) =
          goes ? static_cast<double>(values.size()) * squares - sum * sum
               : values.at(static_cast<std::size_t>(i[static_cast<std::size_t>(dim)]));
    });
}

void softmax(const Operation& operation, Operands x, Results y) {
  const int dim = operation.dims.front();
  for_each(y[0].piece.shape, [&](const Index& i) {
    double sum = 0;
    for (std::int64_t j = 0; j < y[0].piece.shape[static_cast<std::size_t>(dim)]; ++j) {
      const double value = get(x[0].piece, with(i, dim, j));
      sum += x.size() == 1 ? std::exp(value) : value * get(x[1].piece, with(i, dim, j));
    }
    const double own = get(x[0].piece, i);
    set(y[0].piece, i) = x.size() == 1 ? std::exp(own) / sum : get(x[1].piece, i) * (own - sum);
  });
}

void convolution(const Operation&, Operands x, Results y) {
  for_each(y[0].piece.shape, [&](const Index& i) {
    for_each(x[1].piece.shape, [&](const Index& f) {
      if (f[0] != i[1]) return;
      set(y[0].piece, i) +=
          get(x[1].piece, f) * get(x[0].piece, {i[0], f[1], i[2] + f[2], i[3] + f[3]});
    });
  });
}

void concatenate(const Operation& operation, Operands x, Results y) {
  const int dim = operation.dims.front();
  std::int64_t before = 0;
  for (const Held& operand : x) {
    for_each(operand.piece.shape, [&](const Index& i) {
      const std::int64_t at = before + i[static_cast<std::size_t>(dim)];
      set(y[0].piece, with(i, dim, at)) = get(operand.piece, i);
    });
    before += operand.piece.shape[static_cast<std::size_t>(dim)];
  }
}

void stack(const Operation& operation, Operands x, Results y) {
  const int dim = operation.dims.front();
  for_each(y[0].piece.shape, [&](const Index& i) {
    const auto operand = static_cast<std::size_t>(i[static_cast<std::size_t>(dim)]);
    set(y[0].piece, i) = get(x[operand].piece, without(i, operation.dims));
  });
}

void split(const Operation& operation, Operands x, Results y) {
  const int dim = operation.dims.front();
  std::int64_t before = 0;
  for (Held& result : y) {
    for_each(result.piece.shape, [&](const Index& i) {
      const std::int64_t at = before + i[static_cast<std::size_t>(dim)];
      set(result.piece, i) = get(x[0].piece, with(i, dim, at));
    });
    before += result.piece.shape[static_cast<std::size_t>(dim)];
  }
}

void index_select(const Operation& operation, Operands x, Results y) {
  const int dim = operation.dims.front();
  for_each(y[0].piece.shape, [&](const Index& i) {
    const double from = get(x[1].piece, {i[static_cast<std::size_t>(dim)]});
    set(y[0].piece, i) = get(x[0].piece, with(i, dim, static_cast<std::int64_t>(from)));
  });
}

void gather(const Operation& operation, Operands x, Results y) {
  for_each(y[0].piece.shape, [&](const Index& i) {
    const auto from = static_cast<std::int64_t>(get(x[1].piece, i));
    set(y[0].piece, i) = get(x[0].piece, with(i, operation.dims.front(), from));
  });
}

void scatter(const Operation& operation, Operands x, Results y) {
  y[0].piece.data = x[0].piece.data;
  for_each(x[1].piece.shape, [&](const Index& i) {
    const auto to = static_cast<std::int64_t>(get(x[1].piece, i));
    set(y[0].piece, with(i, operation.dims.front(), to)) += get(x[2].piece, i);
  });
}

void factory(const Operation&, Operands, Results y) {
  std::fill(y[0].piece.data.begin(), y[0].piece.data.end(), 7);
}

void arange(const Operation&, Operands, Results y) {
  std::iota(y[0].piece.data.begin(), y[0].piece.data.end(), 0);
}

/// The mask is drawn by the place in the whole tensor.
void dropout(const Operation&, Operands x, Results y) {
  for_each(y[0].piece.shape, [&](const Index& i) {
    std::int64_t draw = 1;
    for (std::size_t d = 0; d < i.size(); ++d)
      draw = draw * 7 + 3 * x[0].indices[d].at(static_cast<std::size_t>(i[d]));
    set(y[0].piece, i) = draw % 4 == 0 ? 0 : 2 * get(x[0].piece, i);
  });
}

/// The lower triangle.
void matrix(const Operation& operation, Operands x, Results y) {
  for_each(y[0].piece.shape, [&](const Index& i) {
    const std::int64_t row = i[static_cast<std::size_t>(operation.dims[0])];
    const std::int64_t column = i[static_cast<std::size_t>(operation.dims[1])];
    set(y[0].piece, i) = row < column ? 0 : get(x[0].piece, i);
  });
}

void opaque(const Operation&, Operands x, Results y) {
  double sum = 0;
  for (const Held& operand : x)
    for (std::size_t i = 0; i < operand.piece.data.size(); ++i)
      sum += static_cast<double>(i + 1) * operand.piece.data[i];
  for (Held& result : y)
    for (std::size_t i = 0; i < result.piece.data.size(); ++i)
      result.piece.data[i] = sum + static_cast<double>(i);
}

using Run = void (*)(const Operation&, Operands, Results);

const std::map<Family, Run>& runs() {
  static const std::map<Family, Run> table{
      {Family::alias, copy},
      {Family::einsum, einsum},
      {Family::linear, linear},
      {Family::linear_pointwise, linear_pointwise},
      {Family::pointwise, pointwise},
      {Family::compare, where},
      {Family::cast, copy},
      {Family::view, copy},
      {Family::view_dtype, view_dtype},
      {Family::permute, permute},
      {Family::expand, expand},
      {Family::slice, slice},
      {Family::sum, reduce},
      {Family::mean, reduce},
      {Family::maximum, reduce},
      {Family::minimum, reduce},
      {Family::product, reduce},
      {Family::along, along},
      {Family::softmax, softmax},
      {Family::norm, interpreter::norm},
      {Family::norm_backward, interpreter::norm_backward},
      {Family::rotary, interpreter::rotary},
      {Family::embedding, interpreter::embedding},
      {Family::embedding_backward, interpreter::embedding_backward},
      {Family::attention, interpreter::attention},
      {Family::attention_backward, interpreter::attention_backward},
      {Family::latent_keys, interpreter::latent_keys},
      {Family::latent_keys_backward, interpreter::latent_keys_backward},
      {Family::convolution, convolution},
      {Family::concatenate, concatenate},
      {Family::stack, stack},
      {Family::split, split},
      {Family::index, index_select},
      {Family::gather, gather},
      {Family::scatter, scatter},
      {Family::factory, factory},
      {Family::arange, arange},
      {Family::dropout, dropout},
      {Family::cross_entropy, interpreter::cross_entropy},
      {Family::cross_entropy_backward, interpreter::cross_entropy_backward},
      {Family::nll_loss, interpreter::nll_loss},
      {Family::matrix, matrix},
      {Family::dispatch, interpreter::dispatch},
      {Family::combine, interpreter::combine},
      {Family::combine_backward, interpreter::combine_backward},
      {Family::opaque, opaque},
  };
  return table;
}

}  // namespace

void run(const Operation& operation, const std::vector<Held>& operands,
         std::vector<Held>& results) {
  runs().at(operation.family)(operation, operands, results);
}

}  // namespace strategies::autoshard
