#include <algorithm>
#include <array>

#include "strategies/checkpoint_file/checkpoint_file.hpp"

namespace strategies::checkpoint_file {

namespace {

/// Words between the dots of a name: keys of torch.optim, Megatron-LM, DeepSpeed and torchtitan.
constexpr std::array<std::string_view, 12> optimizer_words{"optimizer",
                                                           "optim",
                                                           "optimizer_state_dict",
                                                           "optimizer_state",
                                                           "optimizer_states",
                                                           "exp_avg",
                                                           "exp_avg_sq",
                                                           "max_exp_avg_sq",
                                                           "momentum_buffer",
                                                           "fp32_from_fp16_params",
                                                           "fp32_param",
                                                           "base_optimizer_state"};
constexpr std::array<std::string_view, 9> other_words{
    "rng_state",          "cuda_rng_state", "torch_rng_state", "random_rng_state", "np_rng_state",
    "rng_tracker_states", "dataloader",     "lr_scheduler",    "train_state"};

}  // namespace

std::string_view name_of(Role role) {
  switch (role) {
    case Role::model: return "model";
    case Role::optimizer: return "optimizer";
    case Role::other: return "other";
  }
  return "?";
}

Role role_of(std::string_view name) {
  bool optimizer =
      name.starts_with("state.") && name.size() > 6 && name[6] >= '0' && name[6] <= '9';
  while (!name.empty()) {
    const std::string_view word = name.substr(0, name.find('.'));
    if (std::find(other_words.begin(), other_words.end(), word) != other_words.end())
      return Role::other;
    optimizer = optimizer || std::find(optimizer_words.begin(), optimizer_words.end(), word) !=
                                 optimizer_words.end();
    name.remove_prefix(std::min(name.size(), word.size() + 1));
  }
  return optimizer ? Role::optimizer : Role::model;
}

}  // namespace strategies::checkpoint_file
