#include <cudnn.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "calibrate/runtime/cuda/attention_graph.hpp"
#include "calibrate/runtime/cuda/check.hpp"
#include "calibrate/runtime/cuda/fastest.hpp"
#include "calibrate/runtime/cuda/identity.hpp"
#include "calibrate/runtime/cuda/memory.hpp"
#include "calibrate/runtime/cuda/work.hpp"
#include "calibrate/runtime/failure.hpp"

namespace calibrate::runtime::cuda {

namespace {

class Handle {
 public:
  Handle() { dnn::check(cudnnCreate(&handle_), "cuDNN"); }
  ~Handle() { cudnnDestroy(handle_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  cudnnHandle_t get() const { return handle_; }

 private:
  cudnnHandle_t handle_ = nullptr;
};

std::vector<std::int64_t> sizes_of(const dnn::AttentionGraph& attention) {
  std::vector<std::int64_t> sizes;
  for (const dnn::Operand& operand : attention.operands)
    sizes.push_back(operand.elements * bytes_of(operand.element));
  return sizes;
}

class Attention : public Work {
 public:
  Attention(const Device& device, const foreshard_kernel& kernel, bool best)
      : attention_(dnn::attention_graph(kernel)),
        scale_(static_cast<float>(1 / std::sqrt(static_cast<double>(kernel.head_dim)))),
        operands_(sizes_of(attention_), device.cache) {
    for (std::size_t i = 0; i < attention_.operands.size(); ++i)
      operands_.fill(i, attention_.operands.at(i).elements, attention_.operands.at(i).element);
    choose(
        dnn::plans_of(attention_.graph.finished(), dnn::device_of(device.ordinal), best ? 16 : 1),
        best);
  }

  void launch(cudaStream_t stream) override { dnn::check(run(stream), "attention"); }
  const char* library() const override { return "cuDNN"; }
  const char* variant() const override { return variant_.c_str(); }

 private:
  cudnnStatus_t run(cudaStream_t stream) {
    const cudnnStatus_t status = cudnnSetStream(handle_.get(), stream);
    if (status != CUDNN_STATUS_SUCCESS) return status;
    turn_ = (turn_ + 1) % arguments_.size();
    return cudnnBackendExecute(handle_.get(), plan_->get().get(), arguments_.at(turn_).get());
  }

  void choose(std::vector<dnn::Plan> plans, bool best) {
    const auto time = [&](int candidate) -> std::optional<double> {
      bool works = true;
      double seconds = 0;
      std::string error;
      const std::int32_t failed = guarded(error, [&] {
        use(plans.at(static_cast<std::size_t>(candidate)));
        seconds = seconds_of(
            [&](cudaStream_t stream) { works = run(stream) == CUDNN_STATUS_SUCCESS && works; });
      });
      return works && failed == 0 ? std::optional(seconds) : std::nullopt;
    };
    std::optional<int> chosen = 0;
    if (best) chosen = fastest(static_cast<int>(plans.size()), time);
    if (!chosen) throw Failure("none of cuDNN's engines runs this attention");
    use(plans.at(static_cast<std::size_t>(*chosen)));
    chosen_.emplace(std::move(plans.at(static_cast<std::size_t>(*chosen))));
    plan_ = &*chosen_;
    variant_ = best ? fmt::format("best of {}", plans.size()) : "heuristic";
  }

  /// Makes a plan's workspace, and its arguments for each copy of the operands.
  void use(const dnn::Plan& plan) {
    check(cudaDeviceSynchronize(), "waiting for the device");  // an earlier plan's workspace
    plan_ = &plan;
    workspace_.reset();
    workspace_.emplace(std::max<std::int64_t>(plan.workspace(), 1));
    arguments_.clear();
    for (std::int64_t i = 0; i < operands_.copies(); ++i, operands_.turn())
      arguments_.push_back(arguments());
  }

  /// Of the copy whose turn it is.
  dnn::Descriptor arguments() {
    std::vector<std::int64_t> ids;
    std::vector<void*> places;
    const auto add = [&](std::int64_t id, void* place) {
      if (id == 0) return;
      ids.push_back(id);
      places.push_back(place);
    };
    for (std::size_t i = 0; i < attention_.operands.size(); ++i)
      add(attention_.operands.at(i).id, operands_.at(i));
    add(attention_.scale, &scale_);
    add(attention_.one, &one_);
    add(attention_.minus_infinity, &minus_infinity_);
    void* workspace = workspace_->at(0);
    const auto count = static_cast<std::int64_t>(ids.size());
    dnn::Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, ids.data(), count);
    pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, places.data(), count);
    pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, &workspace);
    pack.finalize("the operands of attention");
    return pack;
  }

  dnn::AttentionGraph attention_;
  float scale_;
  float one_ = 1;
  float minus_infinity_ = -std::numeric_limits<float>::infinity();
  Handle handle_;
  Operands operands_;
  std::optional<Memory> workspace_;
  std::vector<dnn::Descriptor> arguments_;  ///< by copy
  std::size_t turn_ = 0;
  std::optional<dnn::Plan> chosen_;
  const dnn::Plan* plan_ = nullptr;  ///< that arguments are for
  std::string variant_;
};

}  // namespace

std::unique_ptr<Work> prepare_attention(const Device& device, const foreshard_kernel& kernel,
                                        bool best) {
  return std::make_unique<Attention>(device, kernel, best);
}

std::string attention_version() { return library_version(cudnnGetVersion()); }

}  // namespace calibrate::runtime::cuda
