#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "calibrate/backend.hpp"
#include "sim/scenario.hpp"
#include "sim/training/framework.hpp"
#include "sim/training/row.hpp"
#include "strategies/model.hpp"
#include "strategies/plan.hpp"
#include "topology/hardware.hpp"

namespace sim::training {

/// What a row says in our terms, or why it cannot be said: "schedule zb-v".
template <class T>
using Expressed = tl::expected<T, std::string>;

/// The model from its dimensions. Biases, norms and positions follow from the family: GPT (gelu,
/// not gated) has layer norms, biases and learned positions; Llama (swiglu) RMS norms and rotary
/// positions; MPT and BLOOM ALiBi; Nemotron (relu2) layer norms and rotary positions. The
/// vocabulary is padded as the framework does. What is guessed goes to `inferred`.
Expressed<strategies::ModelSpec> model_of(const Row& row, const Framework& framework,
                                          std::vector<std::string>& inferred);

/// The plan, not yet checked against the model. Where a cell is empty: `micro_batch` 1 in a
/// pipeline, else the largest power of two that divides the batch of a replica, at most 16 with
/// full recompute and 4 without; a pipeline whose schedule is empty is interleaved with as few
/// chunks as divide its layers; the rest is as the framework does by default.
Expressed<strategies::Plan> plan_of(const Row& row, const Framework& framework,
                                    std::vector<std::string>& inferred);

/// Equal nodes under one ideal switch: what tables say of a fabric is the NICs of a node.
struct Machine {
  topology::NodeType node;
  int nodes = 1;
  int gpus_per_node = 1;  ///< in use
};

/// The node type of the registry with the row's GPU whose NICs come nearest, with NICs that
/// together have the row's rate; where the row names none and there are several nodes, the type
/// with the fastest network.
Expressed<Machine> machine_of(const Row& row, const topology::HardwareRegistry& registry,
                              std::vector<std::string>& inferred);

/// The share of their rate that NICs carry, such that an all-reduce of 1 GiB over all GPUs, played
/// on the machine, has this bus bandwidth; 1 where they would have to carry more. \pre several
/// nodes
double nic_efficiency_for(base::BytesPerSecond bus, const Machine& machine,
                          const calibrate::CollectiveBackend& backend,
                          const std::shared_ptr<const topology::HardwareRegistry>& registry);

/// A row in our terms, checked.
struct Setting {
  strategies::ModelSpec model;
  strategies::Plan plan;
  Machine machine;
  std::vector<std::string> inferred;  ///< what the row leaves open: "micro batch 1"
};

Expressed<Setting> setting_of(const Row& row, const Frameworks& frameworks,
                              const topology::HardwareRegistry& registry);

/// Ready to be forecast. A row with a measured bus bandwidth and several nodes gets a network that
/// has it; inside a node the backend's prices stand, for they know no slower NVLink.
Scenario scenario_of(const Row& row, const Setting& setting,
                     const std::shared_ptr<const topology::HardwareRegistry>& registry,
                     const std::shared_ptr<const calibrate::CollectiveBackend>& backend);

}  // namespace sim::training
