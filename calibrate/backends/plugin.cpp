#include "calibrate/backends/plugin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/check.hpp"
#include "calibrate/backends/hockney.hpp"
#include "calibrate/backends/plugin.h"
#include "calibrate/shared_library.hpp"

namespace calibrate::backends {

namespace {

/// Every backend has this function; it is looked up by its name.
using FactoryFunction = foreshard_backend_factory (*)();

using Handle = std::unique_ptr<foreshard_backend, void (*)(foreshard_backend*)>;

foreshard_request request_of(Collective op, base::Bytes bytes, const GroupShape& shape) {
  foreshard_request request{};
  request.operation = base::name_of(op).data();  // of a literal, so it ends in 0
  request.bytes = bytes.count();
  foreshard_group& group = request.group;
  group.ranks = shape.ranks;
  group.nodes = shape.nodes;
  group.ranks_per_node = shape.ranks_per_node;
  group.nics = shape.nics;
  group.in_switch_reduction = shape.in_switch_reduction ? 1 : 0;
  group.scale_up_rate = shape.scale_up_rate.byte();
  group.scale_up_latency = shape.scale_up_latency.s();
  group.network_rate = shape.network_rate.byte();
  group.network_latency = shape.network_latency.s();
  group.gpu = shape.gpu == nullptr ? nullptr : shape.gpu->name.c_str();
  group.node_type = shape.node == nullptr ? nullptr : shape.node->name.c_str();
  return request;
}

bool is_sound(const foreshard_cost& cost) {
  for (const double value : {cost.time, cost.latency, cost.spread})
    if (!std::isfinite(value) || value < 0) return false;
  return cost.latency <= cost.time;
}

class PluginBackend : public CollectiveBackend {
 public:
  PluginBackend(std::string name, Handle handle)
      : name_(std::move(name)), handle_(std::move(handle)) {
    const char* text = handle_->description(handle_->state);
    description_ = text == nullptr ? "" : text;
    if (description_.empty()) description_ = fmt::format("plug-in {}", name_);
    for (std::size_t i = 0; i < supported_.size(); ++i) {
      const char* operation = base::collective_names.at(i).first.data();
      supported_.at(i) = handle_->supports(handle_->state, operation) != 0;
    }
    calibrated_ = handle_->calibrated(handle_->state) != 0;
  }

  std::string_view name() const override { return name_; }
  std::string description() const override { return description_; }
  bool calibrated() const override { return calibrated_; }

  bool supports(Collective op) const override {
    for (std::size_t i = 0; i < supported_.size(); ++i)
      if (base::collective_names.at(i).second == op) return supported_.at(i);
    return false;
  }

  CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const override {
    CollectiveCost cost;
    cost.algorithm = plain_algorithm(op);
    if (shape.ranks == 1) return cost;
    const foreshard_request request = request_of(op, bytes, shape);
    foreshard_cost told{};
    const int status = handle_->cost(handle_->state, &request, &told);
    const auto refuse = [&](const std::string& why) {
      throw base::EnvironmentError(
          fmt::format("communication plug-in {}: {} for {} of {} bytes on {} ranks in {} nodes",
                      name_, why, base::name_of(op), bytes.count(), shape.ranks, shape.nodes));
    };
    if (status != 0) refuse(fmt::format("error {}", status));
    if (!is_sound(told))
      refuse(fmt::format("time {} s, latency {} s, spread {} make no sense", told.time,
                         told.latency, told.spread));
    cost.latency = base::Seconds::from_s(told.latency);
    cost.total = {base::Seconds::from_s(told.time), told.spread, Evidence::model, 0};
    const double wire = bytes.as_double() * bus_factor(op, shape.ranks);
    if (told.time > told.latency)
      cost.bus_rate = base::BytesPerSecond::from_byte(wire / (told.time - told.latency));
    return cost;
  }

 private:
  std::string name_;
  Handle handle_;
  std::string description_;
  bool calibrated_ = false;
  std::array<bool, base::collective_names.size()> supported_{};
};

bool is_complete(const foreshard_backend& backend) {
  return backend.description != nullptr && backend.calibrated != nullptr &&
         backend.supports != nullptr && backend.cost != nullptr;
}

}  // namespace

std::string plugin_variable(std::string_view name) {
  return library_variable("FORESHARD_BACKEND_", name);
}

std::string plugin_library(std::string_view name) { return library_in(plugin_variable(name)); }

base::Result<std::unique_ptr<CollectiveBackend>> load_plugin(const std::string& name,
                                                             const std::string& library,
                                                             const base::SourceRef& where) {
  const auto refuse = [&](const std::string& why) {
    return tl::unexpected(
        base::Diagnostics{{where, fmt::format("communication plug-in '{}' {}", library, why),
                           fmt::format("{} names its library", plugin_variable(name))}});
  };
  const auto opened = open_library(library);
  if (!opened) return refuse("cannot be loaded: " + opened.error());
  const std::string symbol = "foreshard_backend_" + name;
  void* found = function_in(*opened, symbol);
  if (found == nullptr) return refuse(fmt::format("has no function {}", symbol));
  const foreshard_backend_factory factory = reinterpret_cast<FactoryFunction>(found)();
  if (factory.create == nullptr || factory.destroy == nullptr || factory.version == nullptr)
    return refuse("lacks one of create, destroy and version");
  const char* version = factory.version();
  if (version == nullptr || std::string_view(version) != FORESHARD_BACKEND_ABI)
    return refuse(fmt::format("is of interface version {}, not {}",
                              version == nullptr ? "none" : version, FORESHARD_BACKEND_ABI));
  Handle handle(factory.create(), factory.destroy);
  if (handle == nullptr) return refuse("made no backend");
  if (!is_complete(*handle))
    return refuse("made a backend that lacks one of description, calibrated, supports and cost");
  return std::make_unique<PluginBackend>(name, std::move(handle));
}

}  // namespace calibrate::backends
