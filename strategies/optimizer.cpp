#include "strategies/optimizer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <utility>

#include "base/name_table.hpp"
#include "strategies/plan_names.hpp"

namespace strategies {

namespace {

using base::Bytes;
using base::DType;
using base::Gemm;

constexpr std::array<std::pair<std::string_view, OptimizerKind>, 7> kind_names{{
    {"adam", OptimizerKind::adam},
    {"adamw", OptimizerKind::adamw},
    {"sgd", OptimizerKind::sgd},
    {"adam8bit", OptimizerKind::adam8bit},
    {"adafactor", OptimizerKind::adafactor},
    {"muon", OptimizerKind::muon},
    {"shampoo", OptimizerKind::shampoo},
}};

/// Operations of torch's `_multi_tensor_adamw`: weight decay (2 tensors read or written), lerp (3),
/// mul (2), addcmul (3), sqrt (2), div (2), add (2), addcdiv (4); of its SGD: mul (2), add (3),
/// add (3).
struct Operations {
  int launches;
  int tensors;  ///< read or written, of all operations
};
constexpr Operations adam_operations{8, 20};
constexpr Operations sgd_operations{3, 8};

constexpr double half_bytes = 2;   // of a matrix while Newton and Schulz work on it
constexpr double float_bytes = 4;  // of factored moments, scales and preconditioners

/// Coupled Newton iterations for an inverse fourth root, four products each (arXiv 2002.09018).
constexpr std::int64_t root_products = 40;

double as_double(std::int64_t count) { return static_cast<double>(count); }

/// Matrix products of 16 bits where the machine computes in them.
DType product_type(DType compute) {
  return compute == DType::fp16 || compute == DType::fp32 || compute == DType::tf32 ? compute
                                                                                    : DType::bf16;
}

class Accountant {
 public:
  Accountant(const Optimizer& optimizer, const Precision& precision,
             const ParameterTensors& parameters, int shards, bool writes_copy)
      : optimizer_(optimizer),
        parameters_(parameters),
        shards_(shards),
        gradient_(base::bytes_of(optimizer.gradient_type(precision))),
        produced_(base::bytes_of(precision.gradients)),
        master_(base::bytes_of(precision.master)),
        moment_(base::bytes_of(precision.moments)),
        copy_(writes_copy ? base::bytes_of(precision.parameters) : 0),
        type_(product_type(precision.compute)) {}

  OptimizerWork work() {
    switch (optimizer_.kind) {
      case OptimizerKind::adam:
      case OptimizerKind::adamw:
        elementwise(shard(parameters_.elements), 2, adam_operations);
        break;
      case OptimizerKind::sgd:
        elementwise(shard(parameters_.elements), optimizer_.momentum ? 1 : 0, sgd_operations);
        break;
      case OptimizerKind::adam8bit: adam8bit(); break;
      case OptimizerKind::adafactor: adafactor(); break;
      case OptimizerKind::muon: muon(); break;
      case OptimizerKind::shampoo: shampoo(); break;
    }
    if (gradient_ != produced_) {
      states_ += shard(parameters_.elements) * gradient_;
      traffic_ += shard(parameters_.elements) * (copy_ > 0 ? master_ : 0);
      streaming_launches_ += copy_ > 0 ? 1 : 0;
    }
    work_.states = Bytes::from_double(states_);
    work_.temporary = Bytes::from_double(temporary_);
    work_.exchanged = Bytes::from_double(exchanged_);
    work_.before = Bytes::from_double(before_);
    if (traffic_ > 0)
      work_.kernels.emplace_back(
          base::MemoryBound{Bytes::from_double(traffic_), std::max(streaming_launches_, 1)});
    work_.launches += streaming_launches_;
    return std::move(work_);
  }

 private:
  double shard(std::int64_t elements) const { return as_double(base::ceil_div(elements, shards_)); }

  /// Reads the gradient, reads and writes the master weight, writes the parameter.
  double update() const { return gradient_ + 2 * master_ + copy_; }

  std::int64_t vectors() const {
    std::int64_t rest = parameters_.elements;
    for (const WeightMatrix& matrix : parameters_.matrices) rest -= matrix.elements();
    return rest;
  }

  /// Adam and SGD: so many moments, each read and written.
  void elementwise(double elements, int moments, Operations operations) {
    states_ += elements * moments * moment_;
    if (optimizer_.launch == OptimizerLaunch::fused) {
      traffic_ += elements * (update() + 2 * moments * moment_);
      streaming_launches_ += 1;
      return;
    }
    const bool loop = optimizer_.launch == OptimizerLaunch::for_loop;
    traffic_ += elements * (operations.tensors * master_ + copy_);
    // The square roots: of all tensors at once, or of the one at hand.
    if (moments == 2 && !loop) temporary_ += elements * moment_;
    streaming_launches_ +=
        operations.launches *
        (loop ? static_cast<int>(std::min<std::int64_t>(parameters_.tensors, 1 << 24)) : 1);
  }

  void adam8bit() {
    const double elements = shard(parameters_.elements);
    const double moment = 1 + float_bytes / as_double(optimizer_.block_or_usual());
    states_ += 2 * elements * moment;
    traffic_ += elements * (update() + 4 * moment);
    streaming_launches_ += 1;
  }

  /// Shards are rows; each has the sums of all columns. Gradients are read for the sums, for the
  /// size of the update, by which it is clipped, and for the update.
  void adafactor() {
    for (const WeightMatrix& matrix : parameters_.matrices)
      states_ += float_bytes * as_double(matrix.count) *
                 as_double(base::ceil_div(matrix.rows, shards_) + matrix.columns);
    states_ += float_bytes * shard(vectors());
    traffic_ += shard(parameters_.elements) * (update() + 2 * gradient_);
    streaming_launches_ += 3;
  }

  /// Whole matrices are spread over the ranks as evenly as equal ones can be; with X = r x c, r <=
  /// c, each step is A = X X', B = bA + cAA, X = aX + BX.
  void muon() {
    std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> shapes;
    std::int64_t hidden = 0;
    for (const WeightMatrix& matrix : parameters_.matrices) {
      if (!matrix.hidden) continue;
      hidden += matrix.elements();
      shapes[std::minmax(matrix.rows, matrix.columns)] += matrix.count;
    }
    double whole = 0;  // elements of the matrices that this rank orthogonalises
    double largest = 0;
    for (const auto& [shape, count] : shapes) {
      const auto [r, c] = shape;
      const std::int64_t mine = base::ceil_div(count, shards_);
      whole += as_double(mine) * as_double(r) * as_double(c);
      largest = std::max(largest, 2 * as_double(r) * as_double(c + r));
      for (int step = 0; step < optimizer_.newton_schulz_steps; ++step)
        for (const Gemm& product :
             {Gemm{r, r, c, mine, type_, type_}, Gemm{r, r, r, mine, type_, type_},
              Gemm{r, c, r, mine, type_, type_}})
          work_.kernels.emplace_back(product);
      work_.launches += 3 * optimizer_.newton_schulz_steps * static_cast<int>(mine);
    }
    states_ += shard(hidden) * moment_;
    before_ = shard(hidden) * (gradient_ + 2 * moment_ + half_bytes);
    traffic_ += shard(hidden) * (half_bytes + 2 * master_ + copy_);
    streaming_launches_ += 1;
    temporary_ += half_bytes * (2 * whole + largest);
    if (shards_ > 1) exchanged_ = half_bytes * shard(hidden);
    elementwise(shard(parameters_.elements - hidden), 2, adam_operations);
  }

  /// Both preconditioners of a block and their roots, the filtered gradient and Adam's second
  /// moment, whose step size is taken.
  void shampoo() {
    const std::int64_t side = optimizer_.block_or_usual();
    const DType fp32 = DType::fp32;
    for (const WeightMatrix& matrix : parameters_.matrices) {
      const std::int64_t r = base::ceil_div(matrix.rows, base::ceil_div(matrix.rows, side));
      const std::int64_t c = base::ceil_div(matrix.columns, base::ceil_div(matrix.columns, side));
      const std::int64_t blocks =
          matrix.count * base::ceil_div(matrix.rows, r) * base::ceil_div(matrix.columns, c);
      const std::int64_t mine = base::ceil_div(blocks, shards_);
      states_ += 2 * float_bytes * as_double(mine) *
                 (as_double(r) * as_double(r) + as_double(c) * as_double(c));
      const std::int64_t roots = base::ceil_div(mine * root_products, optimizer_.root_every);
      for (const Gemm& product :
           {Gemm{r, r, c, mine, fp32, fp32}, Gemm{c, c, r, mine, fp32, fp32},
            Gemm{r, c, r, mine, fp32, fp32}, Gemm{r, c, c, mine, fp32, fp32},
            Gemm{r, r, r, roots, fp32, fp32}, Gemm{c, c, c, roots, fp32, fp32}})
        work_.kernels.emplace_back(product);
      work_.launches += 6;
      temporary_ = std::max(temporary_, float_bytes * as_double(mine) * as_double(r * c));
    }
    elementwise(shard(parameters_.elements), 2, adam_operations);
  }

  const Optimizer& optimizer_;
  const ParameterTensors& parameters_;
  int shards_;
  double gradient_;
  double produced_;  // bytes of a gradient as the backward leaves it
  double master_;
  double moment_;
  double copy_;
  DType type_;
  OptimizerWork work_;
  double states_ = 0;
  double temporary_ = 0;
  double exchanged_ = 0;
  double before_ = 0;
  double traffic_ = 0;
  int streaming_launches_ = 0;
};

}  // namespace

std::string_view name_of(OptimizerKind kind) { return base::name_in(kind_names, kind); }

base::DType Optimizer::gradient_type(const Precision& precision) const {
  return copies_gradients ? precision.master : precision.gradients;
}

std::int64_t Optimizer::block_or_usual() const {
  if (block > 0) return block;
  return kind == OptimizerKind::shampoo ? 1024 : 256;
}

void read_optimizer(base::MapReader& reader, Optimizer& optimizer) {
  reader.read_choice("kind", optimizer.kind, kind_names);
  reader.read_choice("launch", optimizer.launch, optimizer_launch_names);
  reader.read("momentum", optimizer.momentum);
  reader.read_choice("gradients", optimizer.copies_gradients, gradient_copy_names);
  reader.read("block", optimizer.block, base::Range<std::int64_t>{1, degree_max});
  reader.read("newton_schulz_steps", optimizer.newton_schulz_steps,
              base::Range<int>{1, degree_max});
  reader.read("root_every", optimizer.root_every, base::Range<int>{1, degree_max});
  const auto belongs = [&](std::string_view key, std::initializer_list<OptimizerKind> kinds) {
    if (!reader.has(key) || std::find(kinds.begin(), kinds.end(), optimizer.kind) != kinds.end())
      return;
    std::string names;
    for (const OptimizerKind kind : kinds)
      names += fmt::format("{}{}", names.empty() ? "" : ", ", name_of(kind));
    reader.error(key, fmt::format("optimizer '{}' has no '{}'", name_of(optimizer.kind), key),
                 fmt::format("it goes with {}", names));
  };
  belongs("launch", {OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::sgd});
  belongs("momentum", {OptimizerKind::sgd});
  belongs("block", {OptimizerKind::adam8bit, OptimizerKind::shampoo});
  belongs("newton_schulz_steps", {OptimizerKind::muon});
  belongs("root_every", {OptimizerKind::shampoo});
  reader.finish();
}

OptimizerWork optimizer_work(const Optimizer& optimizer, const Precision& precision,
                             const ParameterTensors& parameters, int shards, bool writes_copy) {
  return Accountant(optimizer, precision, parameters, shards, writes_copy).work();
}

}  // namespace strategies
