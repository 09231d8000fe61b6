#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "calibrate/runtime/blas/work.hpp"

namespace calibrate::runtime::blas {

namespace {

/// C[m,n] = A[m,k] B[k,n] + beta C, rows one after the other.
void multiply(int m, int n, int k, const float* a, const float* b, float* c, float beta) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, beta, c, n);
}

bool fits(std::int64_t extent) { return extent > 0 && extent <= std::numeric_limits<int>::max(); }

class Product : public Work {
 public:
  explicit Product(const foreshard_kernel& kernel)
      : m_(kernel.m),
        n_(kernel.n),
        k_(kernel.k),
        batch_(kernel.batch),
        beta_(kernel.adds != 0 ? 1.0F : 0.0F),
        operands_({m_ * k_ * batch_, k_ * n_ * batch_, m_ * n_ * batch_}) {}

  void run() override {
    const std::vector<float*>& of = operands_.next();
    for (std::int64_t i = 0; i < batch_; ++i)
      multiply(static_cast<int>(m_), static_cast<int>(n_), static_cast<int>(k_),
               of[0] + i * m_ * k_, of[1] + i * k_ * n_, of[2] + i * m_ * n_, beta_);
  }
  const char* library() const override { return "OpenBLAS"; }

 private:
  std::int64_t m_, n_, k_, batch_;
  float beta_;
  Operands operands_;
};

/// Scores, softmax and weighted values head by head, with scores in memory; a mask saves nothing.
class HostAttention : public Work {
 public:
  explicit HostAttention(const foreshard_kernel& kernel)
      : shape_(kernel),
        operands_({kernel.sequences * kernel.q_heads * kernel.seq_q * kernel.head_dim,
                   kernel.sequences * kernel.kv_heads * kernel.seq_kv * kernel.head_dim,
                   kernel.sequences * kernel.kv_heads * kernel.seq_kv * kernel.value_dim,
                   kernel.sequences * kernel.q_heads * kernel.seq_q * kernel.value_dim,
                   kernel.seq_q * kernel.seq_kv, kernel.seq_q * kernel.seq_kv}) {}

  void run() override {
    const std::vector<float*>& of = operands_.next();
    const std::int64_t heads = shape_.sequences * shape_.q_heads;
    const std::int64_t shared = shape_.q_heads / shape_.kv_heads;
    for (std::int64_t head = 0; head < heads; ++head) {
      float* q = of[0] + head * shape_.seq_q * shape_.head_dim;
      float* k = of[1] + head / shared * shape_.seq_kv * shape_.head_dim;
      float* v = of[2] + head / shared * shape_.seq_kv * shape_.value_dim;
      float* out = of[3] + head * shape_.seq_q * shape_.value_dim;
      shape_.backward != 0 ? backward(q, k, v, out, of[4], of[5]) : forward(q, k, v, out, of[4]);
    }
  }
  const char* library() const override { return "OpenBLAS"; }

 private:
  int queries() const { return static_cast<int>(shape_.seq_q); }
  int keys() const { return static_cast<int>(shape_.seq_kv); }
  int width() const { return static_cast<int>(shape_.head_dim); }
  int values() const { return static_cast<int>(shape_.value_dim); }

  void score(const float* q, const float* k, float* scores) const {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, queries(), keys(), width(),
                1 / std::sqrt(static_cast<float>(width())), q, width(), k, width(), 0, scores,
                keys());
    for (int row = 0; row < queries(); ++row) {
      float* at = scores + std::int64_t{row} * keys();
      const float most = *std::max_element(at, at + keys());
      float sum = 0;
      for (int i = 0; i < keys(); ++i) sum += at[i] = std::exp(at[i] - most);
      for (int i = 0; i < keys(); ++i) at[i] /= sum;
    }
  }

  void forward(const float* q, const float* k, const float* v, float* out, float* scores) const {
    score(q, k, scores);
    multiply(queries(), values(), keys(), scores, v, out, 0);
  }

  /// Five products: scores again, and the gradients of values, probabilities, queries and keys.
  void backward(float* q, float* k, float* v, const float* out, float* scores,
                float* slopes) const {
    score(q, k, scores);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, queries(), keys(), values(), 1, out,
                values(), v, values(), 0, slopes, keys());
    for (std::int64_t i = 0; i < shape_.seq_q * shape_.seq_kv; ++i) slopes[i] *= scores[i];
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, keys(), values(), queries(), 1, scores,
                keys(), out, values(), 0, v, values());
    multiply(queries(), width(), keys(), slopes, k, q, 0);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, keys(), width(), queries(), 1, slopes,
                keys(), q, width(), 0, k, width());
  }

  foreshard_kernel shape_;
  Operands operands_;
};

}  // namespace

std::unique_ptr<Work> make_gemm(const foreshard_kernel& kernel, std::string& reason) {
  if (std::string_view(kernel.dtype) != "fp32" || std::string_view(kernel.output) != "fp32") {
    reason = "matrix products of a CPU core are in fp32";
    return nullptr;
  }
  if (!fits(kernel.m) || !fits(kernel.n) || !fits(kernel.k) || !fits(kernel.batch)) {
    reason = "a matrix product of this shape has nothing to do, or too much";
    return nullptr;
  }
  return std::make_unique<Product>(kernel);
}

std::unique_ptr<Work> make_attention(const foreshard_kernel& kernel, std::string& reason) {
  if (std::string_view(kernel.dtype) != "fp32") {
    reason = "attention of a CPU core is in fp32";
    return nullptr;
  }
  for (const std::int64_t extent : {kernel.sequences, kernel.seq_q, kernel.seq_kv, kernel.q_heads,
                                    kernel.kv_heads, kernel.head_dim, kernel.value_dim})
    if (!fits(extent)) {
      reason = "attention of this shape has nothing to do, or too much";
      return nullptr;
    }
  if (kernel.q_heads % kernel.kv_heads != 0) {
    reason = "query heads are not a multiple of key-value heads";
    return nullptr;
  }
  return std::make_unique<HostAttention>(kernel);
}

}  // namespace calibrate::runtime::blas
