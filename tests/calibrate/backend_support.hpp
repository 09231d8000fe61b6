#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "calibrate/backend.hpp"
#include "tests/calibrate/support.hpp"

namespace calibrate {

using Backend = std::shared_ptr<const CollectiveBackend>;

/// Sets an environment variable for the time of a test.
class Environment {
 public:
  Environment(std::string name, const std::string& value) : name_(std::move(name)) {
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  ~Environment() { ::unsetenv(name_.c_str()); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::string name_;
};

inline BackendOptions named(const std::string& name) {
  BackendOptions options;
  options.name = {name, {"s.yaml", 3, 12}};
  return options;
}

inline Backend backend_of(const BackendOptions& options) {
  auto made = make_backend(options);
  INFO((made ? "" : text_of(made.error())));
  REQUIRE(made);
  return std::move(*made);
}

inline std::string refusal_of(const BackendOptions& options) {
  const auto made = make_backend(options);
  return made ? "no mistake" : text_of(made.error());
}

/// `nodes` of a type, with so many ranks on each.
inline GroupShape shape_on(std::string_view type, int nodes, int ranks_per_node) {
  const topology::NodeType* node = shipped_registry().find_node(type);
  REQUIRE(node != nullptr);
  GroupShape shape;
  shape.ranks = nodes * ranks_per_node;
  shape.nodes = nodes;
  shape.ranks_per_node = ranks_per_node;
  shape.scale_up_rate = topology::scale_up_rate_among(*node, std::max(ranks_per_node, 2));
  shape.scale_up_latency = node->scale_up_latency;
  shape.in_switch_reduction = node->in_switch_reduction;
  shape.nics = std::max(node->nics * ranks_per_node / node->gpus, 1);
  shape.network_rate = node->nic_rate * node->nic_efficiency * static_cast<double>(shape.nics);
  shape.network_latency = node->nic_latency;
  shape.node = node;
  shape.gpu = &shipped_gpu(node->gpu);
  return shape;
}

/// `nodes` times `per_node` H100s, with the rates of a DGX H100 and a NIC for each of them.
inline GroupShape group_of(int nodes, int per_node) {
  const topology::NodeType* type = shipped_registry().find_node("dgx-h100");
  REQUIRE(type != nullptr);
  GroupShape shape;
  shape.ranks = nodes * per_node;
  shape.nodes = nodes;
  shape.ranks_per_node = per_node;
  shape.scale_up_rate = type->scale_up_rate * type->scale_up_efficiency;
  shape.scale_up_latency = type->scale_up_latency;
  shape.in_switch_reduction = type->in_switch_reduction;
  shape.network_rate = type->nic_rate * type->nic_efficiency * per_node;
  shape.network_latency = type->nic_latency;
  shape.nics = per_node;
  shape.node = type;
  shape.gpu = &shipped_gpu(type->gpu);
  return shape;
}

}  // namespace calibrate
