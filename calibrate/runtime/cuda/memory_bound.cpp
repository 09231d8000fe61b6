#include <fmt/format.h>

#include <string_view>
#include <utility>
#include <vector>

#include "calibrate/runtime/cuda/check.hpp"
#include "calibrate/runtime/cuda/kernels.hpp"
#include "calibrate/runtime/cuda/matrix_plan.hpp"
#include "calibrate/runtime/cuda/memory.hpp"
#include "calibrate/runtime/cuda/work.hpp"
#include "calibrate/runtime/failure.hpp"

namespace calibrate::runtime::cuda {

namespace {

/// Launches a kind on the operands whose turn it is.
using Launch = cudaError_t (*)(const Operands&, const MatrixPlan&, cudaStream_t);

/// Operands are in the order of matrix_plan.hpp's operand_bytes.
struct Kind {
  std::string_view name;
  Launch launch;
};

float* floats(void* memory) { return static_cast<float*>(memory); }

constexpr Kind kinds[]{
    {"norm",
     [](const Operands& o, const MatrixPlan& p, cudaStream_t stream) {
       return norm(o.at(0), o.at(1), o.at(2), p.rows, p.columns, p.element, stream);
     }},
    {"rotary",
     [](const Operands& o, const MatrixPlan& p, cudaStream_t stream) {
       return rotary(o.at(0), o.at(1), o.at(2), p.rows, p.columns, rotary_positions, rotary_pairs,
                     p.element, stream);
     }},
    {"gated_activation",
     [](const Operands& o, const MatrixPlan& p, cudaStream_t stream) {
       return gated_activation(o.at(0), o.at(1), o.at(2), p.size(), p.element, stream);
     }},
    {"residual",
     [](const Operands& o, const MatrixPlan& p, cudaStream_t stream) {
       return residual(o.at(0), o.at(1), o.at(2), p.size(), p.element, stream);
     }},
    {"softmax",
     [](const Operands& o, const MatrixPlan& p, cudaStream_t stream) {
       return softmax(o.at(0), o.at(1), p.rows, p.columns, p.element, stream);
     }},
    {"cross_entropy",
     [](const Operands& o, const MatrixPlan& p, cudaStream_t stream) {
       return cross_entropy(floats(o.at(1)), o.at(0), static_cast<std::int32_t*>(o.at(2)), p.rows,
                            p.columns, p.element, stream);
     }},
    {"embedding",
     [](const Operands& o, const MatrixPlan& p, cudaStream_t stream) {
       return embedding(o.at(0), o.at(1), static_cast<std::int32_t*>(o.at(2)), p.rows, p.columns,
                        p.element, stream);
     }},
    {"adam",
     [](const Operands& o, const MatrixPlan& p, cudaStream_t stream) {
       return adam(floats(o.at(0)), floats(o.at(1)), floats(o.at(2)), o.at(3), p.size(), p.element,
                   stream);
     }},
    {"cast",
     [](const Operands& o, const MatrixPlan& p, cudaStream_t stream) {
       return cast(o.at(1), o.at(0), p.size(), p.element, stream);
     }},
    {"copy",
     [](const Operands& o, const MatrixPlan& p, cudaStream_t stream) {
       const auto bytes = static_cast<std::size_t>(p.size() * bytes_of(p.element));
       return cudaMemcpyAsync(o.at(1), o.at(0), bytes, cudaMemcpyDeviceToDevice, stream);
     }},
};

/// Random values in all operands; indices where a kernel follows them, no negative variances.
void fill(Operands& operands, std::string_view kind, const MatrixPlan& plan,
          const std::vector<std::int64_t>& sizes) {
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const bool index = i == 2 && (kind == "cross_entropy" || kind == "embedding");
    const bool wide = (kind == "adam" && i < 3) || (kind == "rotary" && i == 2) ||
                      (kind == "cast" && i == 0 && plan.element != Element::fp8);
    const bool cast_down = kind == "cast" && i == 0 && plan.element == Element::fp8;
    const Element element = wide ? Element::fp32 : cast_down ? Element::bf16 : plan.element;
    if (index)
      operands.index(i, plan.rows, kind == "embedding" ? plan.rows : plan.columns);
    else
      operands.fill(i, sizes[i] / bytes_of(element), element, kind == "adam" && i == 2);
  }
}

class MemoryBound : public Work {
 public:
  MemoryBound(const Device& device, const Kind& kind, const MatrixPlan& plan)
      : kind_(kind),
        plan_(plan),
        sizes_(operand_bytes(kind.name, plan)),
        operands_(sizes_, device.cache) {
    fill(operands_, kind.name, plan, sizes_);
  }

  void launch(cudaStream_t stream) override {
    operands_.turn();
    check(kind_.launch(operands_, plan_, stream), kind_.name);
  }
  const char* library() const override { return "foreshard"; }

 private:
  Kind kind_;
  MatrixPlan plan_;
  std::vector<std::int64_t> sizes_;
  Operands operands_;
};

/// What it takes to start a kernel that does nothing.
class EmptyKernel : public Work {
 public:
  void launch(cudaStream_t stream) override { check(nothing(stream), "an empty kernel"); }
  const char* library() const override { return "CUDA"; }
};

/// Many empty kernels that are started at once.
class EmptyGraph : public Work {
 public:
  EmptyGraph() {
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
    cudaGraph_t graph = nullptr;
    cudaError_t status = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    for (int i = 0; i < kernels && status == cudaSuccess; ++i) status = nothing(stream);
    if (status == cudaSuccess) status = cudaStreamEndCapture(stream, &graph);
    if (status == cudaSuccess) status = cudaGraphInstantiate(&graph_, graph, 0);
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaStreamDestroy(stream);
    check(status, "a graph of empty kernels");
  }
  ~EmptyGraph() override { cudaGraphExecDestroy(graph_); }

  void launch(cudaStream_t stream) override { check(cudaGraphLaunch(graph_, stream), "a graph"); }
  const char* library() const override { return "CUDA"; }
  const char* variant() const override { return "32 kernels"; }

 private:
  static constexpr int kernels = 32;
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace

std::unique_ptr<Work> prepare_memory_bound(const Device& device, const foreshard_kernel& kernel) {
  const std::string_view name = kernel.kind;
  if (name == "launch") return std::make_unique<EmptyKernel>();
  if (name == "graph_launch") return std::make_unique<EmptyGraph>();
  for (const Kind& kind : kinds)
    if (kind.name == name) return std::make_unique<MemoryBound>(device, kind, plan_matrix(kernel));
  throw Failure(fmt::format("no kernel of kind '{}'", name));
}

}  // namespace calibrate::runtime::cuda
