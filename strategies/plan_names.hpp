#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "strategies/data_parallel.hpp"
#include "strategies/op_graph.hpp"
#include "strategies/optimizer.hpp"
#include "strategies/plan.hpp"

/// Words of a plan, as its reader takes them and its writers give them back.
namespace strategies {

template <class E, std::size_t N>
using NameTable = std::array<std::pair<std::string_view, E>, N>;

inline constexpr NameTable<Recompute, 4> recompute_names{{
    {"none", Recompute::none},
    {"selective", Recompute::selective},
    {"full", Recompute::full},
    {"operators", Recompute::operators},
}};
inline constexpr NameTable<bool, 2> tensor_backward_names{{
    {"merged", false},
    {"per_linear", true},
}};
inline constexpr NameTable<TensorOverlap, 3> tensor_overlap_names{{
    {"false", TensorOverlap::none},
    {"own_part", TensorOverlap::own_part},
    {"true", TensorOverlap::parts},
}};
inline constexpr NameTable<bool, 2> message_names{{
    {"whole", false},
    {"scattered", true},
}};
inline constexpr NameTable<bool, 2> zero_split_names{{
    {"elements", false},
    {"tensors", true},
}};
inline constexpr NameTable<LossKernels, 3> loss_kernel_names{{
    {"fused", LossKernels::fused},
    {"sharded", LossKernels::sharded},
    {"eager", LossKernels::eager},
}};
inline constexpr NameTable<bool, 2> loss_names{{
    {"vocabulary_parallel", false},
    {"gather_logits", true},
}};
inline constexpr NameTable<Scaling, 5> scaling_names{{
    {"delayed", Scaling::delayed},
    {"current", Scaling::current},
    {"blockwise", Scaling::blockwise},
    {"mx", Scaling::mx},
    {"nv", Scaling::nv},
}};
inline constexpr NameTable<Uneven, 2> uneven_names{{
    {"refused", Uneven::refused},
    {"first", Uneven::first},
}};

inline constexpr NameTable<BucketPolicy, 5> bucket_names{{
    {"megatron", BucketPolicy::megatron},
    {"sequential", BucketPolicy::sequential},
    {"deepspeed", BucketPolicy::deepspeed},
    {"best_fit", BucketPolicy::best_fit},
    {"per_parameter", BucketPolicy::per_parameter},
}};
inline constexpr NameTable<GradientSync, 3> sync_names{{
    {"last", GradientSync::last},
    {"every", GradientSync::every},
    {"none", GradientSync::none},
}};
inline constexpr NameTable<FsdpRoot, 3> fsdp_root_names{{
    {"none", FsdpRoot::none},
    {"head", FsdpRoot::head},
    {"embedding_and_head", FsdpRoot::embedding_and_head},
}};

inline constexpr NameTable<FsdpLayout, 3> fsdp_layout_names{{
    {"per_parameter", FsdpLayout::per_parameter},
    {"flat", FsdpLayout::flat},
    {"buffer", FsdpLayout::buffer},
}};

inline constexpr NameTable<OptimizerLaunch, 3> optimizer_launch_names{{
    {"fused", OptimizerLaunch::fused},
    {"foreach", OptimizerLaunch::foreach},
    {"for_loop", OptimizerLaunch::for_loop},
}};
inline constexpr NameTable<bool, 2> gradient_copy_names{{
    {"in_place", false},
    {"copied", true},
}};
inline constexpr NameTable<bool, 2> fusion_names{{
    {"fused", true},
    {"apart", false},
}};

}  // namespace strategies
