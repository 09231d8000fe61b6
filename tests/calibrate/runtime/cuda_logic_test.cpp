// What the runtime for NVIDIA GPUs decides before it calls CUDA: tried without a GPU.

#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "calibrate/records.hpp"
#include "calibrate/runtime/cuda/fastest.hpp"
#include "calibrate/runtime/cuda/gemm_plan.hpp"
#include "calibrate/runtime/cuda/matrix_plan.hpp"
#include "calibrate/runtime/cuda/nvml_state.hpp"
#include "calibrate/runtime/cuda/rotation.hpp"
#include "calibrate/runtime/failure.hpp"
#include "calibrate/runtime/traffic.hpp"
#include "tests/support/catch.hpp"

namespace calibrate::runtime::cuda {
namespace {

foreshard_kernel gemm(const char* dtype, const char* output, std::int64_t m, std::int64_t n,
                      std::int64_t k) {
  foreshard_kernel kernel{};
  kernel.kind = "gemm";
  kernel.dtype = dtype;
  kernel.output = output;
  kernel.m = m;
  kernel.n = n;
  kernel.k = k;
  kernel.batch = 1;
  return kernel;
}

foreshard_kernel matrix(const char* kind, const char* dtype, std::int64_t rows,
                        std::int64_t columns, std::int64_t bytes = 0) {
  foreshard_kernel kernel{};
  kernel.kind = kind;
  kernel.dtype = dtype;
  kernel.rows = rows;
  kernel.columns = columns;
  kernel.bytes = bytes;
  return kernel;
}

template <class Action>
std::string failure_of(Action action) {
  std::string error = "none";
  guarded(error, action);
  return error;
}

/// Element (row, column) of op(X), where X lies column by column in `cells`.
double at(const std::vector<double>& cells, const Matrix& matrix, bool transpose, std::int64_t row,
          std::int64_t column) {
  const std::int64_t r = transpose ? column : row;
  const std::int64_t c = transpose ? row : column;
  return cells.at(static_cast<std::size_t>(c * matrix.rows + r));
}

TEST_CASE("a planned GEMM has the shape that was asked for, whatever its layout") {
  for (const int adds : {0, 1}) {
    foreshard_kernel kernel = gemm("bf16", "fp32", 2, 3, 4);
    kernel.adds = adds;
    const GemmPlan plan = plan_gemm(kernel, 90);
    CHECK(plan.transpose_a == (adds == 0));
    CHECK(plan.transpose_b == (adds == 1));
    CHECK(plan.accumulates == (adds == 1));
    // cuBLAS's D is 3 x 2, by columns: just our row-major 2 x 3. op(A) is 3 x 4, op(B) 4 x 2.
    CHECK(plan.d == Matrix{Element::fp32, 3, 2});
    std::vector<double> a(12);
    std::vector<double> b(8);
    std::iota(a.begin(), a.end(), 1.0);
    std::iota(b.begin(), b.end(), 1.0);
    CHECK(plan.a.size() == 12);
    CHECK(plan.b.size() == 8);
    double sum = 0;  // each element of op(A) meets each of op(B) in its row of k
    for (int row = 0; row < 3; ++row)
      for (int column = 0; column < 2; ++column)
        for (int inner = 0; inner < 4; ++inner)
          sum += at(a, plan.a, plan.transpose_a, row, inner) *
                 at(b, plan.b, plan.transpose_b, inner, column);
    // Along k, A's columns of 4 sum over rows to 15 18 21 24, B's to 6 8 10 12: 90+144+210+288.
    // Across k, A's columns are 6 15 24 33, B's 3 7 11 15: 18+105+264+495.
    CHECK(sum == (adds == 0 ? 732 : 882));
  }
}

TEST_CASE("fp8 GEMMs have scales, one layout and multiples of 16") {
  foreshard_kernel kernel = gemm("fp8", "bf16", 16, 32, 64);
  GemmPlan plan = plan_gemm(kernel, 90);
  CHECK(plan.scaled);
  CHECK(plan.fast_accumulation);
  CHECK(plan.transpose_a);
  kernel.adds = 1;
  kernel.output = "fp32";
  plan = plan_gemm(kernel, 89);
  CHECK(plan.transpose_a);
  CHECK_FALSE(plan.transpose_b);
  CHECK_FALSE(plan.fast_accumulation);
  CHECK(failure_of([&] { plan_gemm(kernel, 80); }) ==
        "no fp8 before compute capability 8.9, this is 8.0");
  kernel.k = 72;
  CHECK(failure_of([&] { plan_gemm(kernel, 90); }) ==
        "fp8 GEMMs have multiples of 16, not 16 x 32 x 72");
}

TEST_CASE("which operands of a GEMM give which output") {
  const std::set<std::string> known{"bf16 bf16", "bf16 fp32", "fp16 fp16", "fp16 fp32", "fp32 fp32",
                                    "tf32 fp32", "fp8 bf16",  "fp8 fp16",  "fp8 fp32"};
  for (const std::string input : {"fp32", "tf32", "fp16", "bf16", "fp8", "fp4"})
    for (const std::string output : {"fp32", "fp16", "bf16", "fp8", "fp4"}) {
      INFO(input << " " << output);
      const bool planned = failure_of([&] {
                             plan_gemm(gemm(input.c_str(), output.c_str(), 16, 16, 16), 90);
                           }) == "none";
      CHECK(planned == known.contains(input + " " + output));
    }
  CHECK(plan_gemm(gemm("tf32", "fp32", 1, 1, 1), 80).tf32);
  CHECK_FALSE(plan_gemm(gemm("fp32", "fp32", 1, 1, 1), 80).tf32);
  CHECK(failure_of([] { plan_gemm(gemm("bf16", "bf16", 0, 1, 1), 80); }) ==
        "no GEMM of 0 x 1 x 1, 1 times");
  CHECK(gemm_workspace(80) == 33554432);
  CHECK(gemm_workspace(90) == 67108864);
}

TEST_CASE("copies of operands take turns until twice the cache has passed by") {
  // 300 and 100 bytes begin at 0 and 512; a copy has 768. 2 x 1000 / 768 = 2.6: three others.
  const std::vector<std::int64_t> operands{300, 100};
  Rotation rotation = rotate(operands, 1000, 1 << 20);
  CHECK(rotation.offsets == std::vector<std::int64_t>{0, 512});
  CHECK(rotation.stride == 768);
  CHECK(rotation.copies == 4);
  CHECK(rotation.bytes() == 3072);
  CHECK(rotate(operands, 1000, 1600).copies == 2);  // no memory for more
  CHECK(rotate(operands, 100, 1 << 20).copies == 2);
  CHECK(rotate(operands, 0, 1 << 20).copies == 1);
  CHECK(rotate({}, 1000, 1 << 20).copies == 9);
  CHECK(failure_of([&] { rotate(operands, 1000, 700); }) == "operands of 768 bytes, 700 are free");
}

TEST_CASE("the best of several is the fastest that works, the first of equals") {
  const std::vector<std::optional<double>> times{3.0, std::nullopt, 1.0, 2.0, 1.0};
  int asked = 0;
  const auto time = [&](int candidate) {
    ++asked;
    return times.at(static_cast<std::size_t>(candidate));
  };
  CHECK(fastest(5, time) == 2);
  CHECK(asked == 5);
  CHECK(fastest(2, time) == 0);
  CHECK_FALSE(fastest(0, time));
  CHECK_FALSE(fastest(3, [](int) { return std::optional<double>(); }));
}

TEST_CASE("a matrix has as many rows as move the bytes that are asked for") {
  // RMSNorm of 10 x 8 bf16: 2 + 2 bytes an element, 320 in all.
  CHECK(plan_matrix(matrix("norm", "bf16", 10, 8)).rows == 10);
  CHECK(plan_matrix(matrix("norm", "bf16", 10, 8, 320)).rows == 10);
  CHECK(plan_matrix(matrix("norm", "bf16", 10, 8, 352)).rows == 11);
  CHECK(failure_of([] { plan_matrix(matrix("norm", "bf16", 10, 8, 641)); }) ==
        "norm of 10 x 8 bf16s moves 320 bytes, not 641");
  CHECK(failure_of([] { plan_matrix(matrix("norm", "bf16", 10, 8, 159)); }) ==
        "norm of 10 x 8 bf16s moves 320 bytes, not 159");
  CHECK(failure_of([] { plan_matrix(matrix("norm", "bf16", 10, 12)); }) ==
        "rows of 12 bf16s do not end at a multiple of 16 bytes");
  CHECK(failure_of([] { plan_matrix(matrix("norm", "fp8", 10, 16)); }) == "no norm of fp8");
  CHECK(failure_of([] { plan_matrix(matrix("cast", "fp32", 10, 16)); }) == "no cast of fp32");
  CHECK(failure_of([] { plan_matrix(matrix("norm", "", 10, 16)); }) == "no kernels for no dtype");
  CHECK(failure_of([] { plan_matrix(matrix("norm", "bf16", 0, 16)); }) == "no norm of 0 x 16");
}

TEST_CASE("the operands of a memory-bound kind are what its traffic counts") {
  const std::set<std::string_view> others{"gemm", "attention", "launch", "graph_launch"};
  for (const std::string_view kind : kernel_kinds) {
    if (others.contains(kind)) continue;
    for (const char* dtype : {"bf16", "fp32", "fp8"}) {
      const bool moved = kind == "copy" || kind == "cast";
      if (dtype == std::string_view("fp8") ? !moved : kind == "cast" && dtype[0] == 'f') continue;
      INFO(kind << " " << dtype);
      const std::string name(kind);
      const MatrixPlan plan = plan_matrix(matrix(name.c_str(), dtype, 4096, 65536));
      const base::DType type = dtype[0] == 'b'                    ? base::DType::bf16
                               : dtype == std::string_view("fp8") ? base::DType::fp8
                                                                  : base::DType::fp32;
      const double counted = traffic_per_element(kind, type) * static_cast<double>(plan.size());
      double operands = 0;
      for (const std::int64_t bytes : operand_bytes(kind, plan))
        operands += static_cast<double>(bytes);
      // Weight, two moments are read and written in place.
      if (kind == "adam") operands += 3 * 4.0 * static_cast<double>(plan.size());
      // Tables and indices are less than a percent of a matrix of 4,096 x 65,536.
      CHECK(operands / counted == Approx(1).epsilon(0.01));
    }
  }
  CHECK(failure_of([] { operand_bytes("warp", {}); }) == "no kernel of kind warp");
}

TEST_CASE("a clock is throttled by heat and failing power, not by the usual power limit") {
  CHECK_FALSE(is_throttled(0));
  CHECK_FALSE(is_throttled(0x1));  // idle
  CHECK_FALSE(is_throttled(0x2 | 0x4 | 0x10 | 0x100));
  for (const std::uint64_t reason : {0x8, 0x20, 0x40, 0x80}) {
    CHECK(is_throttled(reason));
    CHECK(is_throttled(reason | 0x4));
  }
}

}  // namespace
}  // namespace calibrate::runtime::cuda
