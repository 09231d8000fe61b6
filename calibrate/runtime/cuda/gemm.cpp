#include <cublasLt.h>
#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "calibrate/runtime/cuda/check.hpp"
#include "calibrate/runtime/cuda/fastest.hpp"
#include "calibrate/runtime/cuda/gemm_plan.hpp"
#include "calibrate/runtime/cuda/memory.hpp"
#include "calibrate/runtime/cuda/work.hpp"
#include "calibrate/runtime/failure.hpp"

namespace calibrate::runtime::cuda {

namespace {

cudaDataType_t type_of(Element element) {
  switch (element) {
    case Element::fp32: return CUDA_R_32F;
    case Element::fp16: return CUDA_R_16F;
    case Element::bf16: return CUDA_R_16BF;
    case Element::fp8: return CUDA_R_8F_E4M3;
  }
  return CUDA_R_32F;
}

/// An object of cuBLASLt's, made and destroyed by functions of its own.
template <class Handle, cublasStatus_t (*Destroy)(Handle)>
class Owned {
 public:
  Owned() = default;
  ~Owned() {
    if (handle_ != nullptr) Destroy(handle_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  Handle get() const { return handle_; }
  Handle* out() { return &handle_; }

 private:
  Handle handle_ = nullptr;
};

using Library = Owned<cublasLtHandle_t, cublasLtDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

/// How operands are multiplied.
class Description : public Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy> {
 public:
  Description(const GemmPlan& plan, const void* scale) {
    const auto compute = plan.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    check(cublasLtMatmulDescCreate(out(), compute, CUDA_R_32F), "a GEMM");
    set(CUBLASLT_MATMUL_DESC_TRANSA, plan.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, plan.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (!plan.scaled) return;
    set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, scale);
    set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, scale);
    set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, static_cast<std::int8_t>(plan.fast_accumulation ? 1 : 0));
  }

 private:
  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    check(cublasLtMatmulDescSetAttribute(get(), attribute, &value, sizeof value),
          "an attribute of a GEMM");
  }
};

/// How an operand lies: `batch` matrices one after the other.
class Layout : public Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy> {
 public:
  Layout(const Matrix& matrix, std::int64_t batch) {
    check(cublasLtMatrixLayoutCreate(out(), type_of(matrix.element),
                                     static_cast<std::uint64_t>(matrix.rows),
                                     static_cast<std::uint64_t>(matrix.columns), matrix.rows),
          "the layout of a matrix");
    if (batch == 1) return;
    set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(batch));
    set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, matrix.size());
  }

 private:
  template <class Value>
  void set(cublasLtMatrixLayoutAttribute_t attribute, const Value& value) {
    check(cublasLtMatrixLayoutSetAttribute(get(), attribute, &value, sizeof value),
          "an attribute of a matrix");
  }
};

std::array<std::int64_t, 3> sizes_of(const GemmPlan& plan) {
  const auto size = [&](const Matrix& matrix) {
    return matrix.size() * bytes_of(matrix.element) * plan.batch;
  };
  return {size(plan.a), size(plan.b), size(plan.d)};
}

/// One float, 1: the scale of fp8 operands.
class Scale : public Memory {
 public:
  Scale() : Memory(sizeof(float)) {
    const float one = 1;
    check(cudaMemcpy(at(0), &one, sizeof one, cudaMemcpyHostToDevice), "the scale of fp8");
  }
};

class Gemm : public Work {
 public:
  Gemm(const Device& device, const GemmPlan& plan, bool best)
      : plan_(plan),
        description_(plan, scale_.at(0)),
        a_(plan.a, plan.batch),
        b_(plan.b, plan.batch),
        d_(plan.d, plan.batch),
        workspace_bytes_(gemm_workspace(device.capability)),
        workspace_(workspace_bytes_),
        operands_(sizes_of(plan), device.cache) {
    check(cublasLtCreate(library_.out()), "cuBLASLt");
    operands_.fill(0, plan.a.size() * plan.batch, plan.a.element);
    operands_.fill(1, plan.b.size() * plan.batch, plan.b.element);
    operands_.fill(2, plan.d.size() * plan.batch, plan.d.element);
    choose(best);
  }

  void launch(cudaStream_t stream) override {
    check(multiply(algorithm_, stream), "cublasLtMatmul");
  }
  const char* library() const override { return "cuBLASLt"; }
  const char* variant() const override { return variant_.c_str(); }

 private:
  /// What cuBLASLt proposes, best first by its own estimate.
  std::vector<cublasLtMatmulHeuristicResult_t> proposals(int most) {
    Preference preference;
    check(cublasLtMatmulPreferenceCreate(preference.out()), "a preference");
    const auto bytes = static_cast<std::uint64_t>(workspace_bytes_);
    check(cublasLtMatmulPreferenceSetAttribute(
              preference.get(), CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes),
          "the workspace of a GEMM");
    std::vector<cublasLtMatmulHeuristicResult_t> found(static_cast<std::size_t>(most));
    int count = 0;
    check(cublasLtMatmulAlgoGetHeuristic(library_.get(), description_.get(), a_.get(), b_.get(),
                                         d_.get(), d_.get(), preference.get(), most, found.data(),
                                         &count),
          "cuBLASLt has no algorithm for this GEMM");
    found.resize(static_cast<std::size_t>(count));
    if (found.empty()) throw Failure("cuBLASLt has no algorithm for this GEMM");
    return found;
  }

  void choose(bool best) {
    constexpr int tried_most = 16;
    const auto found = proposals(best ? tried_most : 1);
    algorithm_ = found.front().algo;
    variant_ = "heuristic";
    if (!best) return;
    const auto time = [&](int candidate) -> std::optional<double> {
      const auto& proposal = found.at(static_cast<std::size_t>(candidate));
      if (proposal.state != CUBLAS_STATUS_SUCCESS) return std::nullopt;
      bool works = true;
      const double seconds = seconds_of([&](cudaStream_t stream) {
        works = multiply(proposal.algo, stream) == CUBLAS_STATUS_SUCCESS && works;
      });
      return works ? std::optional(seconds) : std::nullopt;
    };
    const std::optional<int> chosen = fastest(static_cast<int>(found.size()), time);
    if (!chosen) throw Failure("none of cuBLASLt's algorithms runs this GEMM");
    algorithm_ = found.at(static_cast<std::size_t>(*chosen)).algo;
    variant_ = fmt::format("best of {}", found.size());
  }

  cublasStatus_t multiply(const cublasLtMatmulAlgo_t& algorithm, cudaStream_t stream) {
    const float alpha = 1;
    const float beta = plan_.accumulates ? 1 : 0;
    operands_.turn();
    return cublasLtMatmul(library_.get(), description_.get(), &alpha, operands_.at(0), a_.get(),
                          operands_.at(1), b_.get(), &beta, operands_.at(2), d_.get(),
                          operands_.at(2), d_.get(), &algorithm, workspace_.at(0),
                          static_cast<std::size_t>(workspace_bytes_), stream);
  }

  GemmPlan plan_;
  Library library_;
  Scale scale_;
  Description description_;
  Layout a_;
  Layout b_;
  Layout d_;
  std::int64_t workspace_bytes_;
  Memory workspace_;
  Operands operands_;
  cublasLtMatmulAlgo_t algorithm_{};
  std::string variant_;
};

}  // namespace

std::unique_ptr<Work> prepare_gemm(const Device& device, const foreshard_kernel& kernel,
                                   bool best) {
  return std::make_unique<Gemm>(device, plan_gemm(kernel, device.capability), best);
}

}  // namespace calibrate::runtime::cuda
