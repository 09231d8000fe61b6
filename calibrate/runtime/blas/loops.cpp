#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "calibrate/runtime/blas/work.hpp"

namespace calibrate::runtime::blas {

namespace {

/// A matrix in, a matrix out, and what else a kind reads.
struct Matrices {
  std::int64_t rows;
  std::int64_t columns;
  const std::vector<float*>& of;

  float* row(std::size_t array, std::int64_t i) const { return of[array] + i * columns; }
};

void norm(const Matrices& m) {
  for (std::int64_t i = 0; i < m.rows; ++i) {
    const float* in = m.row(0, i);
    float* out = m.row(1, i);
    float squares = 0;
    for (std::int64_t j = 0; j < m.columns; ++j) squares += in[j] * in[j];
    const float scale = 1 / std::sqrt(squares / static_cast<float>(m.columns) + 1e-6F);
    for (std::int64_t j = 0; j < m.columns; ++j) out[j] = in[j] * scale;
  }
}

void rotary(const Matrices& m) {
  const std::int64_t half = m.columns / 2;
  for (std::int64_t i = 0; i < m.rows; ++i) {
    const float* in = m.row(0, i);
    float* out = m.row(1, i);
    for (std::int64_t j = 0; j < half; ++j) {
      out[j] = in[j] * 0.6F - in[j + half] * 0.8F;
      out[j + half] = in[j] * 0.8F + in[j + half] * 0.6F;
    }
  }
}

void gated_activation(const Matrices& m) {
  for (std::int64_t i = 0; i < m.rows * m.columns; ++i) {
    const float gate = m.of[0][i];
    m.of[2][i] = gate / (1 + std::exp(-gate)) * m.of[1][i];
  }
}

void softmax(const Matrices& m) {
  for (std::int64_t i = 0; i < m.rows; ++i) {
    const float* in = m.row(0, i);
    float* out = m.row(1, i);
    const float most = *std::max_element(in, in + m.columns);
    float sum = 0;
    for (std::int64_t j = 0; j < m.columns; ++j) sum += out[j] = std::exp(in[j] - most);
    for (std::int64_t j = 0; j < m.columns; ++j) out[j] /= sum;
  }
}

/// Losses of rows of logits; the target is the first column.
void cross_entropy(const Matrices& m) {
  for (std::int64_t i = 0; i < m.rows; ++i) {
    const float* in = m.row(0, i);
    const float most = *std::max_element(in, in + m.columns);
    float sum = 0;
    for (std::int64_t j = 0; j < m.columns; ++j) sum += std::exp(in[j] - most);
    m.of[1][i] = std::log(sum) + most - in[0];
  }
}

/// Rows of a table of as many rows, far apart from one to the next.
void embedding(const Matrices& m) {
  constexpr std::int64_t stride = 7919;  // a prime
  for (std::int64_t i = 0; i < m.rows; ++i)
    std::copy_n(m.row(0, i * stride % m.rows), m.columns, m.row(1, i));
}

void residual(const Matrices& m) {
  for (std::int64_t i = 0; i < m.rows * m.columns; ++i) m.of[2][i] = m.of[0][i] + m.of[1][i];
}

/// Parameters, two moments and a gradient.
void adam(const Matrices& m) {
  for (std::int64_t i = 0; i < m.rows * m.columns; ++i) {
    const float slope = m.of[3][i];
    m.of[1][i] = 0.9F * m.of[1][i] + 0.1F * slope;
    m.of[2][i] = 0.95F * m.of[2][i] + 0.05F * slope * slope;
    m.of[0][i] -= 1e-4F * m.of[1][i] / (std::sqrt(std::abs(m.of[2][i])) + 1e-8F);
  }
}

/// To 16 bits, two in the place of one float.
void cast(const Matrices& m) {
  auto* out = reinterpret_cast<std::uint16_t*>(m.of[1]);
  for (std::int64_t i = 0; i < m.rows * m.columns; ++i) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, m.of[0] + i, sizeof bits);
    out[i] = static_cast<std::uint16_t>(bits >> 16U);
  }
}

void copy(const Matrices& m) {
  std::memcpy(m.of[1], m.of[0], static_cast<std::size_t>(m.rows * m.columns) * sizeof(float));
}

void launch(const Matrices&) {}

/// A kind, and the floats of its arrays over those of one matrix (a number of rows where 0).
struct Loop {
  std::string_view kind;
  void (*run)(const Matrices&);
  std::vector<double> arrays;
};

const std::vector<Loop>& loops() {
  static const std::vector<Loop> all{
      {"norm", norm, {1, 1}},
      {"rotary", rotary, {1, 1}},
      {"gated_activation", gated_activation, {1, 1, 1}},
      {"softmax", softmax, {1, 1}},
      {"cross_entropy", cross_entropy, {1, 0}},
      {"embedding", embedding, {1, 1}},
      {"residual", residual, {1, 1, 1}},
      {"adam", adam, {1, 1, 1, 1}},
      {"cast", cast, {1, 0.5}},
      {"copy", copy, {1, 1}},
      {"launch", launch, {0}},
  };
  return all;
}

std::vector<std::int64_t> floats_of(const Loop& loop, const foreshard_kernel& kernel) {
  std::vector<std::int64_t> floats;
  for (const double share : loop.arrays)
    floats.push_back(
        share > 0 ? static_cast<std::int64_t>(std::ceil(share * static_cast<double>(kernel.rows) *
                                                        static_cast<double>(kernel.columns)))
                  : kernel.rows);
  return floats;
}

class LoopWork : public Work {
 public:
  LoopWork(const Loop& loop, const foreshard_kernel& kernel)
      : run_(loop.run),
        rows_(kernel.rows),
        columns_(kernel.columns),
        operands_(floats_of(loop, kernel)) {}

  void run() override { run_({rows_, columns_, operands_.next()}); }
  const char* library() const override { return "loops"; }

 private:
  void (*run_)(const Matrices&);
  std::int64_t rows_;
  std::int64_t columns_;
  Operands operands_;
};

}  // namespace

std::unique_ptr<Work> make_memory_bound(const foreshard_kernel& kernel, std::string& reason) {
  const auto loop = std::find_if(loops().begin(), loops().end(),
                                 [&](const Loop& one) { return one.kind == kernel.kind; });
  constexpr std::int64_t most = std::int64_t{1} << 32U;
  if (loop == loops().end()) {
    reason = std::string("a CPU core has no ") + kernel.kind;
  } else if (kernel.rows < 1 || kernel.columns < 1 || kernel.rows > most / kernel.columns) {
    reason = std::string(kernel.kind) + " of this shape has nothing to do, or too much";
  } else {
    return std::make_unique<LoopWork>(*loop, kernel);
  }
  return nullptr;
}

}  // namespace calibrate::runtime::blas
