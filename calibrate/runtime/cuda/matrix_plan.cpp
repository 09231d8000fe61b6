#include "calibrate/runtime/cuda/matrix_plan.hpp"

#include <fmt/format.h>

#include <cmath>

#include "calibrate/runtime/failure.hpp"
#include "calibrate/runtime/traffic.hpp"

namespace calibrate::runtime::cuda {

namespace {

base::DType dtype_of(Element element) {
  switch (element) {
    case Element::fp32: return base::DType::fp32;
    case Element::fp16: return base::DType::fp16;
    case Element::bf16: return base::DType::bf16;
    case Element::fp8: return base::DType::fp8;
  }
  return base::DType::fp32;
}

void check_element(std::string_view kind, Element element) {
  const bool only_moved = kind == "copy" || kind == "cast";
  if ((element == Element::fp8 && !only_moved) || (element == Element::fp32 && kind == "cast"))
    throw Failure(fmt::format("no {} of {}", kind, base::name_of(dtype_of(element))));
}

}  // namespace

MatrixPlan plan_matrix(const foreshard_kernel& kernel) {
  MatrixPlan plan{element_of(kernel.dtype), kernel.rows, kernel.columns};
  if (plan.rows < 1 || plan.columns < 1)
    throw Failure(fmt::format("no {} of {} x {}", kernel.kind, plan.rows, plan.columns));
  check_element(kernel.kind, plan.element);
  if (plan.columns * bytes_of(plan.element) % load_bytes != 0)
    throw Failure(fmt::format("rows of {} {}s do not end at a multiple of {} bytes", plan.columns,
                              kernel.dtype, load_bytes));
  if (kernel.bytes <= 0) return plan;
  const double row =
      traffic_per_element(kernel.kind, dtype_of(plan.element)) * static_cast<double>(plan.columns);
  const double asked = static_cast<double>(kernel.bytes) / row;
  const double described = static_cast<double>(plan.rows);
  if (asked > 2 * described || asked < described / 2)
    throw Failure(fmt::format("{} of {} x {} {}s moves {:.0f} bytes, not {}", kernel.kind,
                              plan.rows, plan.columns, kernel.dtype, described * row,
                              kernel.bytes));
  plan.rows = std::llround(asked);
  return plan;
}

std::vector<std::int64_t> operand_bytes(std::string_view kind, const MatrixPlan& plan) {
  const std::int64_t matrix = plan.size() * bytes_of(plan.element);
  const std::int64_t fp32 = plan.size() * 4;
  if (kind == "norm") return {matrix, matrix, plan.columns * bytes_of(plan.element)};
  if (kind == "rotary") return {matrix, matrix, rotary_positions * rotary_pairs * 2 * 4};
  if (kind == "gated_activation" || kind == "residual") return {matrix, matrix, matrix};
  if (kind == "softmax" || kind == "copy") return {matrix, matrix};
  if (kind == "cross_entropy") return {matrix, plan.rows * 4, plan.rows * 4};
  if (kind == "embedding") return {matrix, matrix, plan.rows * 4};
  if (kind == "adam") return {fp32, fp32, fp32, matrix};
  if (kind == "cast") return {plan.element == Element::fp8 ? 2 * matrix : fp32, matrix};
  throw Failure(fmt::format("no kernel of kind {}", kind));
}

}  // namespace calibrate::runtime::cuda
