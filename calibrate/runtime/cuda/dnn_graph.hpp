#pragma once

#include <cudnn.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Graphs of operations as cuDNN's engines take them, with just the operations of attention.
namespace calibrate::runtime::cuda::dnn {

/// Throws Failure "what: cuDNN's words" where a call did not succeed.
void check(cudnnStatus_t status, std::string_view what);

/// A descriptor of cuDNN's.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type);
  Descriptor(Descriptor&& other) noexcept;
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;

  cudnnBackendDescriptor_t get() const { return descriptor_; }
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const void* values,
           std::int64_t count = 1);
  void set(cudnnBackendAttributeName_t name, const Descriptor& value);
  void set(cudnnBackendAttributeName_t name, std::int64_t value);
  void set(cudnnBackendAttributeName_t name, cudnnDataType_t value);
  void finalize(std::string_view what);
  std::int64_t number(cudnnBackendAttributeName_t name) const;

 private:
  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

/// What plans are made for: the current device, or, in tests, one that is described.
Descriptor device_of(int ordinal);
Descriptor device_from(const std::string& json);

/// A tensor of four dimensions in a graph: batch, heads, rows, columns.
struct Tensor {
  std::vector<std::int64_t> dimensions;
  std::vector<std::int64_t> strides;  ///< in elements
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::int64_t id = 0;
};

/// One after the other in memory, the last dimension fastest.
Tensor packed(std::vector<std::int64_t> dimensions, cudnnDataType_t type);
/// The same memory with rows and columns exchanged.
Tensor transposed(Tensor tensor);

class Graph {
 public:
  /// A tensor in memory, read or written.
  Tensor in_memory(Tensor tensor);
  /// One number that is given by value when the graph is run.
  Tensor scalar(cudnnDataType_t type);

  // Results stay inside of the graph, or are written where `to` says.
  Tensor matmul(const Tensor& a, const Tensor& b, std::optional<Tensor> to = {});
  Tensor pointwise(cudnnPointwiseMode_t mode, const Tensor& a, const Tensor& b,
                   std::optional<Tensor> to = {});
  Tensor pointwise(cudnnPointwiseMode_t mode, const Tensor& a, std::optional<Tensor> to = {});
  /// mask[i,j] = i >= j of the shape of `like`.
  Tensor at_or_below_diagonal(const Tensor& like);
  /// a where the mask is set, else b.
  Tensor select(const Tensor& mask, const Tensor& a, const Tensor& b);
  /// Over the dimensions that are 1 in `to`.
  Tensor reduce(cudnnReduceTensorOp_t operation, const Tensor& a, const Tensor& to);
  /// The same values with rows and columns exchanged, in another type.
  Tensor transpose(const Tensor& a, cudnnDataType_t type);
  /// What stays inside of the graph.
  Tensor inside(Tensor tensor);

  /// The whole as cuDNN takes it.
  Descriptor finished() const;

 private:
  Tensor add(Tensor tensor, bool is_inside, bool by_value);
  const Descriptor& of(const Tensor& tensor) const;
  Tensor apply(cudnnPointwiseMode_t mode, cudnnDataType_t precision,
               const std::vector<std::pair<cudnnBackendAttributeName_t, Tensor>>& inputs,
               const Tensor& output, std::int64_t axis = -1);

  std::vector<Descriptor> tensors_;     ///< by id, from 1
  std::vector<Descriptor> operations_;  ///< and what they consist of
  std::vector<cudnnBackendDescriptor_t> order_;
};

/// A way to run a graph.
class Plan {
 public:
  Plan(const Descriptor& device, Descriptor configuration);

  std::int64_t workspace() const { return workspace_; }
  const Descriptor& get() const { return plan_; }

 private:
  Descriptor configuration_;
  Descriptor plan_;
  std::int64_t workspace_ = 0;
};

/// The plans that cuDNN proposes and can make, best first by its own estimate; throws Failure where
/// there is none.
std::vector<Plan> plans_of(const Descriptor& graph, const Descriptor& device, int most);

}  // namespace calibrate::runtime::cuda::dnn
