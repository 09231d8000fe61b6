#include "calibrate/import/kineto_ops.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "calibrate/import/import.hpp"

namespace calibrate {

namespace {

using base::DType;
using base::Node;
using Shape = std::vector<std::int64_t>;

constexpr std::int64_t dimension_max = 1LL << 40;

/// Sizes of the tensor at `index`; nothing when it is none or its sizes are unreadable.
std::optional<Shape> shape_of(const Node* list, std::size_t index) {
  if (list == nullptr || index >= list->items.size()) return std::nullopt;
  const Node& node = list->items[index];
  if (node.kind != Node::Kind::sequence || node.items.empty()) return std::nullopt;
  Shape shape;
  for (const Node& item : node.items) {
    const std::optional<std::int64_t> size = to_whole(item.text);
    if (!size || *size < 1 || *size > dimension_max) return std::nullopt;
    shape.push_back(*size);
  }
  return shape;
}

/// Product of sizes; 0 when it is beyond what a device holds.
std::int64_t elements_of(const Shape& shape, std::size_t end) {
  std::int64_t product = 1;
  for (std::size_t i = 0; i < end; ++i) {
    if (shape[i] > dimension_max / product) return 0;
    product *= shape[i];
  }
  return product;
}
std::int64_t elements_of(const Shape& shape) { return elements_of(shape, shape.size()); }

std::string_view text_of_item(const Node* list, std::size_t index) {
  if (list == nullptr || index >= list->items.size()) return {};
  return list->items[index].text;
}

std::optional<DType> dtype_of(std::string_view torch) {
  constexpr std::array<std::pair<std::string_view, DType>, 5> names{{{"float", DType::fp32},
                                                                     {"half", DType::fp16},
                                                                     {"bfloat16", DType::bf16},
                                                                     {"f8e4m3", DType::fp8},
                                                                     {"f8e5m2", DType::fp8}}};
  for (const auto& [name, type] : names)
    if (name == element_type_of(torch)) return type;
  return std::nullopt;
}

KernelOfOp unmatched(std::string reason) { return {{}, std::move(reason)}; }

// --- matrix products -------------------------------------------------------------------------

struct ProductRow {
  std::string_view name;
  std::size_t first;  ///< index of A; B follows
  bool transposed;    ///< B is [n, k]
};

constexpr std::array<ProductRow, 8> products{{{"aten::mm", 0, false},
                                              {"aten::matmul", 0, false},
                                              {"aten::bmm", 0, false},
                                              {"aten::_scaled_mm", 0, false},
                                              {"aten::addmm", 1, false},
                                              {"aten::_addmm_activation", 1, false},
                                              {"aten::baddbmm", 1, false},
                                              {"aten::linear", 0, true}}};

KernelOfOp product_of(const TorchOp& op, const ProductRow& row) {
  const std::optional<Shape> a = shape_of(op.dims, row.first);
  const std::optional<Shape> b = shape_of(op.dims, row.first + 1);
  const std::optional<DType> type = dtype_of(text_of_item(op.types, row.first));
  if (!a || !b || a->size() < 2 || b->size() < 2)
    return unmatched("its shapes are not in the trace");
  if (!type) return unmatched("its type is none that is forecast");
  base::Gemm gemm;
  const bool batched = b->size() == 3 && a->size() == 3;
  if (b->size() > 2 && !batched) return unmatched("its batches are not of one size");
  const std::size_t inner = b->size() - 2;
  gemm.k = row.transposed ? (*b)[inner + 1] : (*b)[inner];
  gemm.n = row.transposed ? (*b)[inner] : (*b)[inner + 1];
  gemm.batch = batched ? a->front() : 1;
  gemm.m = batched ? (*a)[1] : elements_of(*a, a->size() - 1);
  if (a->back() != gemm.k || gemm.m < 1 || elements_of({gemm.batch, gemm.m, gemm.n}) < 1 ||
      (batched && b->front() != gemm.batch))
    return unmatched("its shapes do not fit");
  gemm.dtype = *type;
  gemm.output = *type == DType::fp8 ? DType::bf16 : *type;
  KernelOfOp out;
  out.record.kind = "gemm";
  out.record.kernel = gemm;
  out.record.dtype = *type;
  out.record.library = "cuBLAS";
  return out;
}

// --- attention -------------------------------------------------------------------------------

struct AttentionRow {
  std::string_view name;
  std::string_view library;
  std::size_t query;   ///< index of the query; key and value follow
  std::size_t causal;  ///< index of the word for causality
  bool heads_second;   ///< [batch, heads, sequence, width]; otherwise heads come third
  bool backward;
};

constexpr std::array<AttentionRow, 8> attentions{{
    {"aten::_scaled_dot_product_flash_attention", "FlashAttention", 0, 4, true, false},
    {"aten::_flash_attention_forward", "FlashAttention", 0, 8, false, false},
    {"aten::_scaled_dot_product_cudnn_attention", "cuDNN", 0, 6, true, false},
    {"aten::_cudnn_attention_forward", "cuDNN", 0, 10, true, false},
    {"aten::_scaled_dot_product_flash_attention_backward", "FlashAttention", 1, 11, true, true},
    {"aten::_flash_attention_backward", "FlashAttention", 1, 11, false, true},
    {"aten::_scaled_dot_product_cudnn_attention_backward", "cuDNN", 1, 14, true, true},
    {"aten::_cudnn_attention_backward", "cuDNN", 1, 14, true, true},
}};

KernelOfOp attention_of(const TorchOp& op, const AttentionRow& row) {
  const std::optional<Shape> query = shape_of(op.dims, row.query);
  const std::optional<Shape> key = shape_of(op.dims, row.query + 1);
  const std::optional<Shape> value = shape_of(op.dims, row.query + 2);
  const std::optional<DType> type = dtype_of(text_of_item(op.types, row.query));
  const std::string_view causal = text_of_item(op.values, row.causal);
  if (!query || !key || !value || query->size() != 4 || key->size() != 4 || value->size() != 4)
    return unmatched("its shapes are not in the trace");
  if (!type) return unmatched("its type is none that is forecast");
  if (causal != "True" && causal != "False")
    return unmatched("the trace does not say whether it is causal");
  for (const Shape* shape : {&*query, &*key, &*value})
    if (elements_of(*shape) < 1) return unmatched("its tensors are larger than any memory");
  const std::size_t heads = row.heads_second ? 1 : 2;
  const std::size_t sequence = row.heads_second ? 2 : 1;
  base::Attention attention;
  attention.batch = query->front();
  attention.seq_q = (*query)[sequence];
  attention.seq_kv = (*key)[sequence];
  attention.q_heads = (*query)[heads];
  attention.kv_heads = (*key)[heads];
  attention.head_dim = query->back();
  attention.value_dim = value->back();
  attention.causal = causal == "True";
  attention.backward = row.backward;
  attention.dtype = *type;
  KernelOfOp out;
  out.record.kind = "attention";
  out.record.kernel = attention;
  out.record.dtype = *type;
  out.record.library = row.library;
  return out;
}

// --- kernels bounded by memory ---------------------------------------------------------------

struct TrafficRow {
  std::string_view name;
  std::string_view kind;
  std::size_t tensor;  ///< index of the tensor that is worked on
  int passes;          ///< times that it is read or written
  bool backward;
};

constexpr std::array<TrafficRow, 9> traffics{
    {{"aten::native_layer_norm", "norm", 0, 2, false},
     {"aten::_fused_rms_norm", "norm", 0, 2, false},
     {"aten::native_layer_norm_backward", "norm", 0, 3, true},
     {"aten::_fused_rms_norm_backward", "norm", 0, 3, true},
     {"aten::_softmax", "softmax", 0, 2, false},
     {"aten::_log_softmax", "softmax", 0, 2, false},
     {"aten::_softmax_backward_data", "softmax", 0, 3, true},
     {"aten::add", "residual", 0, 3, false},
     {"aten::add_", "residual", 0, 3, false}}};

KernelOfOp traffic(std::string_view kind, std::int64_t rows, std::int64_t columns, DType type,
                   double bytes) {
  if (rows < 1 || !(bytes > 0)) return unmatched("its tensors are larger than any memory");
  KernelOfOp out;
  out.record.kind = kind;
  out.record.rows = rows;
  out.record.columns = columns;
  out.record.dtype = type;
  out.record.kernel = base::MemoryBound{base::Bytes::from_double(bytes), 1};
  out.record.library = "PyTorch";
  return out;
}

KernelOfOp traffic_of(const TorchOp& op, const TrafficRow& row) {
  const std::optional<Shape> shape = shape_of(op.dims, row.tensor);
  const std::optional<DType> type = dtype_of(text_of_item(op.types, row.tensor));
  if (!shape) return unmatched("its shapes are not in the trace");
  if (!type) return unmatched("its type is none that is forecast");
  if (row.kind == "residual" && shape_of(op.dims, 1) != shape)
    return unmatched("it is no sum of two tensors of one shape");
  const std::int64_t rows = elements_of(*shape, shape->size() - 1);
  const double bytes = static_cast<double>(elements_of(*shape)) * base::bytes_of(*type);
  KernelOfOp out = traffic(row.kind, rows, shape->back(), *type, row.passes * bytes);
  if (row.backward && out.unmatched.empty()) out.record.variant = "backward";
  return out;
}

KernelOfOp embedding_of(const TorchOp& op) {
  const std::optional<Shape> table = shape_of(op.dims, 0);
  const std::optional<Shape> tokens = shape_of(op.dims, 1);
  const std::optional<DType> type = dtype_of(text_of_item(op.types, 0));
  if (!table || !tokens || table->size() != 2) return unmatched("its shapes are not in the trace");
  if (!type) return unmatched("its type is none that is forecast");
  const std::int64_t rows = elements_of(*tokens);
  const double bytes =
      static_cast<double>(rows) * static_cast<double>(table->back()) * base::bytes_of(*type);
  return traffic("embedding", rows, table->back(), *type, 2 * bytes);
}

/// Of a copy the destination comes first.
KernelOfOp copy_of(const TorchOp& op) {
  const std::optional<Shape> shape = shape_of(op.dims, 0);
  const std::optional<DType> to = dtype_of(text_of_item(op.types, 0));
  const std::optional<DType> from = dtype_of(text_of_item(op.types, 1));
  if (!shape || shape_of(op.dims, 1) != shape) return unmatched("its shapes are not in the trace");
  if (!to || !from) return unmatched("its type is none that is forecast");
  const double bytes =
      static_cast<double>(elements_of(*shape)) * (base::bytes_of(*to) + base::bytes_of(*from));
  return traffic(to == from ? "copy" : "cast", elements_of(*shape, shape->size() - 1),
                 shape->back(), *from, bytes);
}

/// Fused Adam in fp32: weights, gradients and two moments are read, all but gradients written.
KernelOfOp adam_of(const TorchOp& op) {
  constexpr double bytes_per_weight = 7 * 4;
  if (op.dims == nullptr || op.dims->items.empty())
    return unmatched("its shapes are not in the trace");
  const Node& weights = op.dims->items.front();
  std::int64_t count = 0;
  for (std::size_t i = 0; i < weights.items.size(); ++i) {
    const std::optional<Shape> shape = shape_of(&weights, i);
    if (!shape || count > dimension_max) return unmatched("its shapes are not in the trace");
    count += elements_of(*shape);
  }
  if (count < 1) return unmatched("its shapes are not in the trace");
  return traffic("adam", 1, count, DType::fp32, bytes_per_weight * static_cast<double>(count));
}

template <class Rows>
auto find_row(const Rows& rows, std::string_view name) -> decltype(rows.data()) {
  for (const auto& row : rows)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace

KernelOfOp kernel_of(const TorchOp& op) {
  if (const ProductRow* row = find_row(products, op.name)) return product_of(op, *row);
  if (const AttentionRow* row = find_row(attentions, op.name)) return attention_of(op, *row);
  if (const TrafficRow* row = find_row(traffics, op.name)) return traffic_of(op, *row);
  if (op.name == "aten::embedding") return embedding_of(op);
  if (op.name == "aten::copy_") return copy_of(op);
  if (op.name == "aten::_fused_adamw_" || op.name == "aten::_fused_adam_") return adam_of(op);
  return unmatched("no kernel of ours stands for it");
}

}  // namespace calibrate
