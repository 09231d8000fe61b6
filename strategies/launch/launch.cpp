#include "strategies/launch/launch.hpp"

#include <algorithm>
#include <array>

namespace strategies::launch {

namespace {

constexpr std::array<Framework, 4> table{{
    {"megatron", "Megatron-LM", "bash, arguments of pretrain_gpt.py",
     "megatron/training/arguments.py of NVIDIA/Megatron-LM at 000c4ac", megatron},
    {"torchtitan", "torchtitan", "TOML, --job.config_file",
     "torchtitan/config/job_config.py of pytorch/torchtitan at 6404b93", torchtitan},
    {"deepspeed", "DeepSpeed", "JSON, --deepspeed_config",
     "docs/_pages/config-json.md of deepspeedai/DeepSpeed at 00376da", deepspeed},
    {"scaletorch", "ScaleTorch", "bash, arguments of tools/train.py",
     "scaletorch/trainer/config.py of jianzhnie/ScaleTorch at 554ef29", scaletorch},
}};

}  // namespace

std::span<const Framework> frameworks() { return table; }

const Framework* find_framework(std::string_view name) {
  const auto* found = std::find_if(table.begin(), table.end(),
                                   [name](const Framework& one) { return one.name == name; });
  return found == table.end() ? nullptr : found;
}

}  // namespace strategies::launch
