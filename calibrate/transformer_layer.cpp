#include "calibrate/transformer_layer.hpp"

#include <charconv>
#include <utility>

namespace calibrate {

namespace {

using base::Bytes;
using base::DType;
using base::MemoryBound;

constexpr double element = 2;  // bytes of fp16

struct Sizes {
  std::int64_t tokens;
  std::int64_t hidden;
  std::int64_t tensor;
  double elements;  // of the residual stream; whole numbers would overflow for absurd shapes
  double residual;  // those on one rank

  explicit Sizes(const TransformerLayer& layer)
      : tokens(layer.batch * layer.sequence),
        hidden(layer.hidden),
        tensor(layer.tensor),
        elements(static_cast<double>(tokens) * static_cast<double>(hidden)),
        residual(elements / (layer.sequence_parallel ? layer.tensor : 1)) {}
};

MemoryBound traffic(double elements, double passes, int kernels) {
  return {Bytes::from_double(elements * passes * element), kernels};
}

base::Attention attention_of(const TransformerLayer& layer, bool backward) {
  base::Attention attention;
  attention.batch = layer.batch;
  attention.seq_q = attention.seq_kv = layer.sequence;
  attention.q_heads = attention.kv_heads = layer.heads / layer.tensor;
  attention.head_dim = attention.value_dim = layer.hidden / layer.heads;
  attention.backward = backward;
  attention.flash = false;
  attention.dtype = DType::fp16;
  return attention;
}

void add_gemm(LayerWork& work, std::int64_t m, std::int64_t n, std::int64_t k) {
  work.kernels.emplace_back(base::Gemm{m, n, k, 1, DType::fp16, DType::fp16});
}

// Query-key-value, projection and the two of the MLP; backward, each has two gradients.
void add_gemms(LayerWork& work, const Sizes& s, bool backward) {
  const std::int64_t h = s.hidden;
  for (const auto& [n, k] : {std::pair{3 * h / s.tensor, h}, std::pair{h, h / s.tensor},
                             std::pair{4 * h / s.tensor, h}, std::pair{h, 4 * h / s.tensor}}) {
    if (backward) {
      add_gemm(work, s.tokens, k, n);
      add_gemm(work, k, n, s.tokens);
    } else {
      add_gemm(work, s.tokens, n, k);
    }
  }
}

// Forward, each half of the layer ends in one all-reduce, or begins with an all-gather and ends in
// a reduce-scatter; backward, the other way round, and the gathered input is gathered again.
void add_calls(LayerWork& work, const TransformerLayer& layer, const Sizes& s, bool backward) {
  if (layer.tensor == 1) return;
  const Bytes bytes = Bytes::from_double(s.elements * element);
  for (int half = 0; half < 2; ++half) {
    if (!layer.sequence_parallel) {
      work.calls.push_back({Collective::all_reduce, bytes});
      continue;
    }
    work.calls.push_back({Collective::all_gather, bytes});
    work.calls.push_back({Collective::reduce_scatter, bytes});
    if (backward) work.calls.push_back({Collective::all_gather, bytes});
  }
}

void add_forward(LayerWork& work, const TransformerLayer& layer) {
  const Sizes s(layer);
  const double inner = 4.0 * s.elements / layer.tensor;
  add_gemms(work, s, false);
  work.kernels.emplace_back(attention_of(layer, false));
  work.kernels.emplace_back(traffic(s.residual, 2 * 2, 2));    // norms: read, write
  work.kernels.emplace_back(traffic(s.residual, 2 * 3.5, 2));  // bias, dropout, residual; its mask
  work.kernels.emplace_back(traffic(inner, 2, 1));             // GeLU
  add_calls(work, layer, s, false);
}

void add_backward(LayerWork& work, const TransformerLayer& layer) {
  const Sizes s(layer);
  const double inner = 4.0 * s.elements / layer.tensor;
  add_gemms(work, s, true);
  work.kernels.emplace_back(attention_of(layer, true));
  work.kernels.emplace_back(traffic(s.residual, 2 * 5, 4));    // norms: input and weight gradients
  work.kernels.emplace_back(traffic(s.residual, 2 * 5.5, 4));  // dropout; adding to the residual's
  work.kernels.emplace_back(traffic(inner, 3, 1));
  add_calls(work, layer, s, true);
}

std::optional<std::int64_t> number_after(std::string_view text, std::string_view word) {
  const std::size_t at = text.find(word);
  if (at == std::string_view::npos) return std::nullopt;
  const char* begin = text.data() + at + word.size();
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(begin, text.data() + text.size(), value);
  if (status != std::errc() || value < 1 || value > 1'000'000) return std::nullopt;
  return value;
}

}  // namespace

LayerWork work_of(const TransformerLayer& layer) {
  LayerWork work;
  if (!layer.backward || layer.full_recompute) add_forward(work, layer);
  if (layer.backward && layer.selective_recompute)
    work.kernels.emplace_back(attention_of(layer, false));
  if (layer.backward) add_backward(work, layer);
  return work;
}

std::optional<TransformerLayer> parse_layer_note(std::string_view note) {
  const auto says = [&](std::string_view words) {
    return note.find(words) != std::string_view::npos;
  };
  const auto hidden = number_after(note, "hidden ");
  const auto tensor = number_after(note, " tp ");
  if (!hidden || !tensor) return std::nullopt;
  TransformerLayer layer;
  layer.hidden = *hidden;
  layer.tensor = static_cast<int>(*tensor);
  layer.backward = says("transformer_layer backward");
  layer.sequence_parallel = says("sequence parallelism");
  layer.selective_recompute = says("selective recompute");
  layer.full_recompute = says("full recompute");
  return layer;
}

}  // namespace calibrate
