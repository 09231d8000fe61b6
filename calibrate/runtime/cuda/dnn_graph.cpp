#include "calibrate/runtime/cuda/dnn_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "calibrate/runtime/failure.hpp"

namespace calibrate::runtime::cuda::dnn {

void check(cudnnStatus_t status, std::string_view what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::array<char, 512> last{};
  cudnnGetLastErrorString(last.data(), last.size());
  throw Failure(fmt::format("{}: {}{}{}", what, cudnnGetErrorString(status),
                            last.front() == '\0' ? "" : ": ", last.data()));
}

// --- descriptors -----------------------------------------------------------------------------

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) {
  check(cudnnBackendCreateDescriptor(type, &descriptor_), "a descriptor");
}

Descriptor::Descriptor(Descriptor&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, nullptr)) {}

Descriptor::~Descriptor() {
  if (descriptor_ != nullptr) cudnnBackendDestroyDescriptor(descriptor_);
}

void Descriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                     const void* values, std::int64_t count) {
  check(cudnnBackendSetAttribute(descriptor_, name, type, count, values), "an attribute");
}

void Descriptor::set(cudnnBackendAttributeName_t name, const Descriptor& value) {
  const cudnnBackendDescriptor_t descriptor = value.get();
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, &descriptor);
}

void Descriptor::set(cudnnBackendAttributeName_t name, std::int64_t value) {
  set(name, CUDNN_TYPE_INT64, &value);
}

void Descriptor::set(cudnnBackendAttributeName_t name, cudnnDataType_t value) {
  set(name, CUDNN_TYPE_DATA_TYPE, &value);
}

void Descriptor::finalize(std::string_view what) { check(cudnnBackendFinalize(descriptor_), what); }

std::int64_t Descriptor::number(cudnnBackendAttributeName_t name) const {
  std::int64_t value = 0;
  std::int64_t count = 0;
  check(cudnnBackendGetAttribute(descriptor_, name, CUDNN_TYPE_INT64, 1, &count, &value),
        "an attribute");
  return value;
}

Descriptor device_of(int ordinal) {
  Descriptor device(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  const std::int32_t number = ordinal;
  device.set(CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, &number);
  device.finalize("the device");
  return device;
}

Descriptor device_from(const std::string& json) {
  Descriptor device(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  device.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, json.data(),
             static_cast<std::int64_t>(json.size()));
  device.finalize("the device");
  return device;
}

// --- graphs ----------------------------------------------------------------------------------

Tensor packed(std::vector<std::int64_t> dimensions, cudnnDataType_t type) {
  Tensor tensor{std::move(dimensions), {}, type, 0};
  std::int64_t stride = 1;
  for (auto extent = tensor.dimensions.rbegin(); extent != tensor.dimensions.rend(); ++extent) {
    tensor.strides.push_back(stride);
    stride *= *extent;
  }
  std::reverse(tensor.strides.begin(), tensor.strides.end());
  return tensor;
}

Tensor transposed(Tensor tensor) {
  std::swap(tensor.dimensions.at(2), tensor.dimensions.at(3));
  std::swap(tensor.strides.at(2), tensor.strides.at(3));
  return tensor;
}

Tensor Graph::add(Tensor tensor, bool is_inside, bool by_value) {
  tensor.id = static_cast<std::int64_t>(tensors_.size()) + 1;
  Descriptor descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const auto rank = static_cast<std::int64_t>(tensor.dimensions.size());
  descriptor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, tensor.id);
  descriptor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, tensor.type);
  descriptor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{16});
  descriptor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, tensor.dimensions.data(), rank);
  descriptor.set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, tensor.strides.data(), rank);
  descriptor.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, &is_inside);
  descriptor.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, &by_value);
  descriptor.finalize("a tensor");
  tensors_.push_back(std::move(descriptor));
  return tensor;
}

Tensor Graph::in_memory(Tensor tensor) { return add(std::move(tensor), false, false); }

Tensor Graph::inside(Tensor tensor) { return add(std::move(tensor), true, false); }

Tensor Graph::scalar(cudnnDataType_t type) { return add(packed({1, 1, 1, 1}, type), false, true); }

const Descriptor& Graph::of(const Tensor& tensor) const {
  return tensors_.at(static_cast<std::size_t>(tensor.id - 1));
}

Tensor Graph::matmul(const Tensor& a, const Tensor& b, std::optional<Tensor> to) {
  const Tensor result = to ? *to
                           : inside(packed({a.dimensions.at(0), a.dimensions.at(1),
                                            a.dimensions.at(2), b.dimensions.at(3)},
                                           CUDNN_DATA_FLOAT));
  Descriptor how(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  how.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_DATA_FLOAT);
  how.finalize("a matrix product");
  Descriptor operation(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, of(a));
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, of(b));
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, of(result));
  operation.set(CUDNN_ATTR_OPERATION_MATMUL_DESC, how);
  operation.finalize("a matrix product");
  order_.push_back(operation.get());
  operations_.push_back(std::move(how));
  operations_.push_back(std::move(operation));
  return result;
}

Tensor Graph::apply(cudnnPointwiseMode_t mode, cudnnDataType_t precision,
                    const std::vector<std::pair<cudnnBackendAttributeName_t, Tensor>>& inputs,
                    const Tensor& output, std::int64_t axis) {
  Descriptor how(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  how.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, &mode);
  how.set(CUDNN_ATTR_POINTWISE_MATH_PREC, precision);
  if (axis >= 0) how.set(CUDNN_ATTR_POINTWISE_AXIS, axis);
  how.finalize("an operation on elements");
  Descriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how);
  for (const auto& [name, tensor] : inputs) operation.set(name, of(tensor));
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, of(output));
  operation.finalize("an operation on elements");
  order_.push_back(operation.get());
  operations_.push_back(std::move(how));
  operations_.push_back(std::move(operation));
  return output;
}

Tensor Graph::pointwise(cudnnPointwiseMode_t mode, const Tensor& a, const Tensor& b,
                        std::optional<Tensor> to) {
  const Tensor result = to ? *to : inside(packed(a.dimensions, CUDNN_DATA_FLOAT));
  return apply(
      mode, CUDNN_DATA_FLOAT,
      {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, a}, {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b}},
      result);
}

Tensor Graph::pointwise(cudnnPointwiseMode_t mode, const Tensor& a, std::optional<Tensor> to) {
  const Tensor result = to ? *to : inside(packed(a.dimensions, CUDNN_DATA_FLOAT));
  return apply(mode, CUDNN_DATA_FLOAT, {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, a}}, result);
}

Tensor Graph::at_or_below_diagonal(const Tensor& like) {
  const auto index = [&](std::int64_t axis) {
    return apply(CUDNN_POINTWISE_GEN_INDEX, CUDNN_DATA_INT32,
                 {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, like}},
                 inside(packed(like.dimensions, CUDNN_DATA_INT32)), axis);
  };
  const Tensor row = index(2);
  const Tensor column = index(3);
  return apply(
      CUDNN_POINTWISE_CMP_GE, CUDNN_DATA_BOOLEAN,
      {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, row}, {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, column}},
      inside(packed(like.dimensions, CUDNN_DATA_BOOLEAN)));
}

Tensor Graph::select(const Tensor& mask, const Tensor& a, const Tensor& b) {
  return apply(CUDNN_POINTWISE_BINARY_SELECT, CUDNN_DATA_FLOAT,
               {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, a},
                {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b},
                {CUDNN_ATTR_OPERATION_POINTWISE_TDESC, mask}},
               inside(packed(a.dimensions, CUDNN_DATA_FLOAT)));
}

Tensor Graph::reduce(cudnnReduceTensorOp_t reduction, const Tensor& a, const Tensor& to) {
  Descriptor how(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  how.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, &reduction);
  how.set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  how.finalize("a reduction");
  Descriptor operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, of(a));
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, of(to));
  operation.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, how);
  operation.finalize("a reduction");
  order_.push_back(operation.get());
  operations_.push_back(std::move(how));
  operations_.push_back(std::move(operation));
  return to;
}

Tensor Graph::transpose(const Tensor& a, cudnnDataType_t type) {
  Tensor turned = transposed(a);
  turned.type = type;
  const Tensor result = inside(turned);
  Descriptor operation(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_RESHAPE_XDESC, of(a));
  operation.set(CUDNN_ATTR_OPERATION_RESHAPE_YDESC, of(result));
  operation.finalize("a transposition");
  order_.push_back(operation.get());
  operations_.push_back(std::move(operation));
  return result;
}

Descriptor Graph::finished() const {
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, order_.data(),
            static_cast<std::int64_t>(order_.size()));
  graph.finalize("a graph");
  return graph;
}

// --- plans -----------------------------------------------------------------------------------

Plan::Plan(const Descriptor& device, Descriptor configuration)
    : configuration_(std::move(configuration)), plan_(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
  plan_.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, device);
  plan_.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration_);
  plan_.finalize("a plan");
  workspace_ = plan_.number(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
}

std::vector<Plan> plans_of(const Descriptor& graph, const Descriptor& device, int most) {
  Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, &mode);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, device);
  heuristic.finalize("cuDNN has no engine for this");
  std::int64_t proposed = 0;
  check(cudnnBackendGetAttribute(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &proposed, nullptr),
        "cuDNN's proposals");
  std::vector<Descriptor> configurations;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (std::int64_t i = 0; i < proposed; ++i) {
    configurations.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    raw.push_back(configurations.back().get());
  }
  check(cudnnBackendGetAttribute(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, proposed, &proposed, raw.data()),
        "cuDNN's proposals");
  std::vector<Plan> plans;
  std::string why = "it proposes none";
  for (std::size_t i = 0; i < static_cast<std::size_t>(proposed); ++i) {
    if (static_cast<int>(plans.size()) == most) break;
    guarded(why, [&] { plans.emplace_back(device, std::move(configurations.at(i))); });
  }
  if (plans.empty()) throw Failure("cuDNN has no engine for this: " + why);
  return plans;
}

}  // namespace calibrate::runtime::cuda::dnn
