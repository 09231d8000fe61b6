#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "strategies/model.hpp"
#include "strategies/plan.hpp"

/// A plan as the launch configuration of a training framework.
namespace strategies::launch {

/// What is to be started. The plan must have passed check_plan, and outlive the call.
struct Job {
  std::string_view name;  ///< of the scenario
  const ModelSpec& model;
  const Plan& plan;
  int ranks_per_node = 8;
};

struct Launch {
  std::string text;            ///< the file
  base::Diagnostics left_out;  ///< warnings: what of plan and model is not in it, and why
};

/// A row of the table of frameworks.
struct Framework {
  std::string_view name;     ///< as users write it
  std::string_view product;  ///< "Megatron-LM"
  std::string_view form;     ///< what the text is
  std::string_view version;  ///< whose options these are
  Launch (*write)(const Job& job, const Framework& framework);
};
std::span<const Framework> frameworks();

/// By name; nullptr when unknown.
const Framework* find_framework(std::string_view name);

Launch megatron(const Job& job, const Framework& framework);
Launch torchtitan(const Job& job, const Framework& framework);
Launch deepspeed(const Job& job, const Framework& framework);
Launch scaletorch(const Job& job, const Framework& framework);

}  // namespace strategies::launch
