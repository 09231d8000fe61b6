#include "calibrate/runtime/cuda/memory.hpp"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include "calibrate/runtime/cuda/check.hpp"
#include "calibrate/runtime/cuda/kernels.hpp"

namespace calibrate::runtime::cuda {

namespace {

/// What operands may take: some is left for libraries that allocate by themselves.
std::int64_t available() {
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "free memory");
  return static_cast<std::int64_t>(free / 10 * 9);
}

}  // namespace

Memory::Memory(std::int64_t bytes) {
  check(cudaMalloc(&begin_, static_cast<std::size_t>(bytes)),
        fmt::format("{} bytes of device memory", bytes));
}

Memory::~Memory() { cudaFree(begin_); }

void* Memory::at(std::int64_t offset) const { return static_cast<char*>(begin_) + offset; }

Operands::Operands(std::span<const std::int64_t> sizes, std::int64_t cache)
    : rotation_(rotate(sizes, cache, available())), memory_(rotation_.bytes()) {}

void Operands::fill(std::size_t operand, std::int64_t elements, Element element, bool positive) {
  for (std::int64_t i = 0; i < rotation_.copies; ++i, turn())
    check(fill_random(at(operand), elements, element, positive,
                      static_cast<std::uint64_t>(i) * 1000 + operand, nullptr),
          "random operands");
}

void Operands::index(std::size_t operand, std::int64_t count, std::int64_t below) {
  for (std::int64_t i = 0; i < rotation_.copies; ++i, turn())
    check(fill_indices(at(operand), count, below, nullptr), "indices");
}

void* Operands::at(std::size_t operand) const {
  return memory_.at(copy_ * rotation_.stride + rotation_.offsets.at(operand));
}

}  // namespace calibrate::runtime::cuda
