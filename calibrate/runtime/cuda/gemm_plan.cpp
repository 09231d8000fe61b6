#include "calibrate/runtime/cuda/gemm_plan.hpp"

#include <fmt/format.h>

#include <string_view>

#include "calibrate/runtime/failure.hpp"

namespace calibrate::runtime::cuda {

namespace {

void check_output(Element input, Element output, const foreshard_kernel& kernel) {
  const bool wider = output == Element::fp32;
  const bool same = output == input && input != Element::fp8;
  const bool from_fp8 = input == Element::fp8 && output != Element::fp8;
  if (!wider && !same && !from_fp8)
    throw Failure(fmt::format("no GEMM of {} operands has {} output", kernel.dtype, kernel.output));
}

/// Tensor cores read fp8 operands in pieces of 16 bytes.
void check_fp8(const foreshard_kernel& kernel, int capability) {
  if (capability < 89)
    throw Failure(fmt::format("no fp8 before compute capability 8.9, this is {}.{}",
                              capability / 10, capability % 10));
  for (const std::int64_t extent : {kernel.m, kernel.n, kernel.k})
    if (extent % 16 != 0)
      throw Failure(fmt::format("fp8 GEMMs have multiples of 16, not {} x {} x {}", kernel.m,
                                kernel.n, kernel.k));
}

}  // namespace

GemmPlan plan_gemm(const foreshard_kernel& kernel, int capability) {
  if (kernel.m < 1 || kernel.n < 1 || kernel.k < 1 || kernel.batch < 1)
    throw Failure(fmt::format("no GEMM of {} x {} x {}, {} times", kernel.m, kernel.n, kernel.k,
                              kernel.batch));
  const Element input = element_of(kernel.dtype);
  const Element output = element_of(kernel.output);
  check_output(input, output, kernel);
  GemmPlan plan;
  plan.scaled = input == Element::fp8;
  if (plan.scaled) check_fp8(kernel, capability);
  plan.tf32 = std::string_view(kernel.dtype) == "tf32";
  plan.accumulates = kernel.adds != 0;
  plan.fast_accumulation = plan.scaled && !plan.accumulates;
  plan.batch = kernel.batch;
  const bool along_k = plan.scaled || !plan.accumulates;
  plan.transpose_a = along_k;
  plan.transpose_b = !along_k;
  plan.a = along_k ? Matrix{input, kernel.k, kernel.n} : Matrix{input, kernel.n, kernel.k};
  plan.b = along_k ? Matrix{input, kernel.k, kernel.m} : Matrix{input, kernel.m, kernel.k};
  plan.d = {output, kernel.n, kernel.m};
  return plan;
}

std::int64_t gemm_workspace(int capability) {
  constexpr std::int64_t mib = std::int64_t{1} << 20;
  return (capability >= 90 ? 64 : 32) * mib;
}

}  // namespace calibrate::runtime::cuda
