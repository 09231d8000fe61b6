#include "tests/strategies/autoshard/interpreter_model.hpp"

#include <cmath>
#include <map>

#include "base/check.hpp"

namespace strategies::autoshard::interpreter {

namespace {

/// The part of the last dim that an index is in.
struct Group {
  std::int64_t index = 0;
  std::int64_t begin = 0;
  std::int64_t size = 0;
};

Group group_of(const Operation& operation, const Held& held, const Index& i) {
  const std::int64_t size = held.whole.back() / operation.groups;
  const std::int64_t index = i.back() / size;
  return {index, index * size, size};
}

double mean_over(const Group& group, const Index& i,
                 const std::function<double(const Index&)>& value) {
  double sum = 0;
  for (std::int64_t j = 0; j < group.size; ++j)
    sum += value(joined(prefix(i, i.size() - 1), group.begin + j));
  return sum / static_cast<double>(group.size);
}

}  // namespace

void norm(const Operation& operation, Operands x, Results y) {
  const bool centred = x.size() > 2;
  for_each(y[0].piece.shape, [&](const Index& i) {
    const Group group = group_of(operation, x[0], i);
    const auto at = [&](const Index& j) { return get(x[0].piece, j); };
    const double mean = centred ? mean_over(group, i, at) : 0;
    const double variance =
        mean_over(group, i, [&](const Index& j) { return (at(j) - mean) * (at(j) - mean); });
    const double inverse = 1 / std::sqrt(variance + 0.5);
    const Index feature{i.back() - group.begin};
    set(y[0].piece, i) = (at(i) - mean) * inverse * get(x[1].piece, feature) +
                         (centred ? get(x[2].piece, feature) : 0);
    const Index statistics = joined(prefix(i, i.size() - 1), group.index);
    set(y[1].piece, statistics) = inverse;
    if (centred) set(y[2].piece, statistics) = mean;
  });
}

void norm_backward(const Operation& operation, Operands x, Results y) {
  const bool centred = x.size() > 4;
  for_each(y[0].piece.shape, [&](const Index& i) {
    const Group group = group_of(operation, x[0], i);
    const Index statistics = joined(prefix(i, i.size() - 1), group.index);
    const double inverse = get(x[3].piece, statistics);
    const double mean = centred ? get(x[4].piece, statistics) : 0;
    const auto normal = [&](const Index& j) { return (get(x[1].piece, j) - mean) * inverse; };
    const auto scaled = [&](const Index& j) {
      return get(x[0].piece, j) * get(x[2].piece, {j.back() - group.begin});
    };
    const double along_normal =
        mean_over(group, i, [&](const Index& j) { return scaled(j) * normal(j); });
    set(y[0].piece, i) = inverse * (scaled(i) - (centred ? mean_over(group, i, scaled) : 0) -
                                    normal(i) * along_normal);
    const Index feature{i.back() - group.begin};
    set(y[1].piece, feature) += get(x[0].piece, i) * normal(i);
    if (centred) set(y[2].piece, feature) += get(x[0].piece, i);
  });
}

void rotary(const Operation& operation, Operands x, Results y) {
  for_each(y[0].piece.shape, [&](const Index& i) {
    const Group head = group_of(operation, x[0], i);
    const std::int64_t partner = 2 * head.begin + head.size - 1 - i.back();
    const auto position = static_cast<double>(x[0].indices[1].at(static_cast<std::size_t>(i[1])));
    set(y[0].piece, i) =
        (position + 1) * get(x[0].piece, i) + (position - 2) * get(x[0].piece, with(i, 2, partner));
  });
}

void embedding(const Operation&, Operands x, Results y) {
  for_each(y[0].piece.shape, [&](const Index& i) {
    const double token = get(x[1].piece, prefix(i, i.size() - 1));
    const std::int64_t row = place_of(x[0].indices[0], token);
    if (row >= 0) set(y[0].piece, i) = get(x[0].piece, {row, i.back()});
  });
}

void embedding_backward(const Operation&, Operands x, Results y) {
  for_each(x[0].piece.shape, [&](const Index& i) {
    const double token = get(x[1].piece, prefix(i, i.size() - 1));
    const std::int64_t row = place_of(y[0].indices[0], token);
    if (row >= 0) set(y[0].piece, {row, i.back()}) += get(x[0].piece, i);
  });
}

namespace {

/// Heads of a rank, and their widths. Tensors: q, k, v, statistics.
struct Heads {
  Heads(const Operation& operation, const Held& q, const Held& k, const Held& v,
        const Held& statistics)
      : q_width(q.whole.back() / statistics.whole.back()),
        k_width(k.whole.back() / operation.groups),
        v_width(v.whole.back() / operation.groups),
        shared_by(statistics.whole.back() / operation.groups) {}

  /// Of query number s of the rank with key t, both of the head; causal.
  double weight(const Held& q, const Held& k, const Index& head, std::int64_t t) const {
    if (t > q.indices[1].at(static_cast<std::size_t>(head[1]))) return 0;
    double score = 0;
    for (std::int64_t d = 0; d < q_width; ++d)
      score += get(q.piece, {head[0], head[1], head[2] * q_width + d}) *
               get(k.piece, {head[0], t, head[2] / shared_by * k_width + d});
    return std::exp(score / 4);
  }
  std::int64_t q_width;
  std::int64_t k_width;
  std::int64_t v_width;
  std::int64_t shared_by;  ///< query heads of a key-value head
};

}  // namespace

void attention(const Operation& operation, Operands x, Results y) {
  const Heads heads(operation, x[0], x[1], x[2], y[1]);
  for_each(y[1].piece.shape, [&](const Index& head) {
    double sum = 0;
    const std::int64_t keys = x[1].piece.shape[1];
    for (std::int64_t t = 0; t < keys; ++t) sum += heads.weight(x[0], x[1], head, t);
    set(y[1].piece, head) = std::log(sum);
    for (std::int64_t d = 0; d < heads.v_width; ++d)
      for (std::int64_t t = 0; t < keys; ++t)
        set(y[0].piece, {head[0], head[1], head[2] * heads.v_width + d}) +=
            heads.weight(x[0], x[1], head, t) / sum *
            get(x[2].piece, {head[0], t, head[2] / heads.shared_by * heads.v_width + d});
  });
}

void attention_backward(const Operation& operation, Operands x, Results y) {
  const Held& gradient = x[0];
  const Held& q = x[1];
  const Held& k = x[2];
  const Held& v = x[3];
  const Heads heads(operation, q, k, v, x[5]);
  for_each(x[5].piece.shape, [&](const Index& head) {
    const auto own = [&](std::int64_t width, std::int64_t d) {
      return Index{head[0], head[1], head[2] * width + d};
    };
    const auto shared = [&](std::int64_t t, std::int64_t width, std::int64_t d) {
      return Index{head[0], t, head[2] / heads.shared_by * width + d};
    };
    double along_output = 0;
    for (std::int64_t d = 0; d < heads.v_width; ++d)
      along_output +=
          get(gradient.piece, own(heads.v_width, d)) * get(x[4].piece, own(heads.v_width, d));
    for (std::int64_t t = 0; t < k.piece.shape[1]; ++t) {
      const double p = heads.weight(q, k, head, t) / std::exp(get(x[5].piece, head));
      double along_value = 0;
      for (std::int64_t d = 0; d < heads.v_width; ++d) {
        const double g = get(gradient.piece, own(heads.v_width, d));
        along_value += g * get(v.piece, shared(t, heads.v_width, d));
        set(y[2].piece, shared(t, heads.v_width, d)) += p * g;
      }
      const double score = p * (along_value - along_output) / 4;
      for (std::int64_t d = 0; d < heads.q_width; ++d) {
        set(y[0].piece, own(heads.q_width, d)) += score * get(k.piece, shared(t, heads.k_width, d));
        set(y[1].piece, shared(t, heads.k_width, d)) += score * get(q.piece, own(heads.q_width, d));
      }
    }
  });
}

/// Of each head the part of the key that is its own, then the value.
void latent_keys(const Operation& operation, Operands x, Results y) {
  const std::int64_t value = y[1].whole.back() / operation.groups;
  const std::int64_t plain = x[0].whole.back() / operation.groups - value;
  for_each(y[0].piece.shape, [&](const Index& i) {
    const Group head = group_of(operation, y[0], i);
    const std::int64_t d = i.back() - head.begin;
    set(y[0].piece, i) = d < plain ? get(x[0].piece, {i[0], i[1], head.index * (plain + value) + d})
                                   : get(x[1].piece, {i[0], i[1], d - plain});
  });
  for_each(y[1].piece.shape, [&](const Index& i) {
    const Group head = group_of(operation, y[1], i);
    set(y[1].piece, i) = get(x[0].piece, {i[0], i[1], i.back() + (head.index + 1) * plain});
  });
}

void latent_keys_backward(const Operation& operation, Operands x, Results y) {
  const std::int64_t value = x[1].whole.back() / operation.groups;
  const std::int64_t plain = y[0].whole.back() / operation.groups - value;
  for_each(x[0].piece.shape, [&](const Index& i) {
    const Group head = group_of(operation, x[0], i);
    const std::int64_t d = i.back() - head.begin;
    if (d < plain)
      set(y[0].piece, {i[0], i[1], head.index * (plain + value) + d}) += get(x[0].piece, i);
    else
      set(y[1].piece, {i[0], i[1], d - plain}) += get(x[0].piece, i);
  });
  for_each(x[1].piece.shape, [&](const Index& i) {
    const Group head = group_of(operation, x[1], i);
    set(y[0].piece, {i[0], i[1], i.back() + (head.index + 1) * plain}) += get(x[1].piece, i);
  });
}

/// Powers of two, which are exact.
void cross_entropy(const Operation&, Operands x, Results y) {
  for_each(x[0].piece.shape, [&](const Index& i) {
    const Index token = prefix(i, i.size() - 1);
    set(y[0].piece, joined(token, 0)) += std::exp2(get(x[0].piece, i));
    if (place_of(x[0].indices.back(), get(x[1].piece, token)) == i.back())
      set(y[0].piece, joined(token, 1)) += get(x[0].piece, i);
  });
}

void cross_entropy_backward(const Operation&, Operands x, Results y) {
  for_each(y[0].piece.shape, [&](const Index& i) {
    const Index token = prefix(i, i.size() - 1);
    const bool label = place_of(x[0].indices.back(), get(x[1].piece, token)) == i.back();
    set(y[0].piece, i) =
        std::exp2(get(x[0].piece, i)) / get(x[2].piece, joined(token, 0)) - (label ? 1 : 0);
  });
}

void nll_loss(const Operation&, Operands x, Results y) {
  for_each(x[1].piece.shape, [&](const Index& i) {
    const auto label = static_cast<std::int64_t>(get(x[1].piece, i));
    y[0].piece.data[0] -= get(x[0].piece, joined(i, label));
  });
}

namespace {

/// Calls with the token, the number of the choice, the expert and the slot of its row. Every group
/// of tokens fills slots of its own, first come, first served.
void for_each_row(
    const Operation& operation, const Held& chosen, const Held& rows,
    const std::function<void(const Index&, std::int64_t, std::int64_t, std::int64_t)>& visit) {
  const std::int64_t tokens = chosen.whole[0] * chosen.whole[1] / operation.groups;
  const std::int64_t slots = rows.whole[1] / operation.groups;
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> filled;
  for_each(chosen.piece.shape, [&](const Index& i) {
    const std::int64_t group = (i[0] * chosen.piece.shape[1] + i[1]) / tokens;
    const auto expert = static_cast<std::int64_t>(get(chosen.piece, i));
    const std::int64_t slot = filled[{group, expert}]++;
    CHECK_INVARIANT(slot < slots);
    visit({i[0], i[1]}, i[2], place_of(rows.indices[0], static_cast<double>(expert)),
          group * slots + slot);
  });
}

}  // namespace

void dispatch(const Operation& operation, Operands x, Results y) {
  for_each_row(operation, x[1], y[0],
               [&](const Index& token, std::int64_t, std::int64_t expert, std::int64_t slot) {
                 for (std::int64_t h = 0; expert >= 0 && h < x[0].piece.shape[2]; ++h)
                   set(y[0].piece, {expert, slot, h}) = get(x[0].piece, joined(token, h));
               });
}

void combine(const Operation& operation, Operands x, Results y) {
  for_each_row(
      operation, x[1], x[0],
      [&](const Index& token, std::int64_t choice, std::int64_t expert, std::int64_t slot) {
        const double weight = x.size() > 2 ? get(x[2].piece, joined(token, choice)) : 1;
        for (std::int64_t h = 0; expert >= 0 && h < x[0].piece.shape[2]; ++h)
          set(y[0].piece, joined(token, h)) += weight * get(x[0].piece, {expert, slot, h});
      });
}

void combine_backward(const Operation& operation, Operands x, Results y) {
  for_each_row(
      operation, x[2], x[1],
      [&](const Index& token, std::int64_t choice, std::int64_t expert, std::int64_t slot) {
        for (std::int64_t h = 0; expert >= 0 && h < x[0].piece.shape[2]; ++h) {
          const double gradient = get(x[0].piece, joined(token, h));
          set(y[0].piece, {expert, slot, h}) = gradient * get(x[3].piece, joined(token, choice));
          set(y[1].piece, joined(token, choice)) += gradient * get(x[1].piece, {expert, slot, h});
        }
      });
}

}  // namespace strategies::autoshard::interpreter
