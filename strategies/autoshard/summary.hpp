#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/collective.hpp"
#include "strategies/autoshard/pricing.hpp"
#include "strategies/autoshard/tensor_graph.hpp"

/// What a solution amounts to, in the terms of hand-written plans.
namespace strategies::autoshard {

/// What the ranks along a mesh dim do with a parameter.
enum class ParameterUse : std::uint8_t {
  copies,    ///< each has it all: DDP
  held,      ///< each has it all, and a part of what belongs to it: ZeRO-1, ZeRO-2
  gathered,  ///< each keeps a part, and gets all for use: FSDP, ZeRO-3
  parts,     ///< each uses a part: tensor parallel, expert parallel
};

inline constexpr std::array<std::pair<std::string_view, ParameterUse>, 4> parameter_use_names{{
    {"copies", ParameterUse::copies},
    {"held", ParameterUse::held},
    {"gathered", ParameterUse::gathered},
    {"parts", ParameterUse::parts},
}};

/// What the ranks along a mesh dim have of an activation.
enum class ActivationCut : std::uint8_t { batch, sequence, other, none };

inline constexpr std::array<std::pair<std::string_view, ActivationCut>, 4> activation_cut_names{{
    {"batch", ActivationCut::batch},
    {"sequence", ActivationCut::sequence},
    {"other", ActivationCut::other},
    {"none", ActivationCut::none},
}};

struct ParameterSummary {
  int node = 0;         ///< of the problem
  double elements = 0;  ///< all copies
  placement::Layout rest;
  placement::Layout held;  ///< between its uses
  placement::Layout use;   ///< by the first forward operator that computes with it
};

struct MeshDimSummary {
  std::array<double, 4> parameters{};   ///< shares of elements, by ParameterUse
  std::array<double, 4> activations{};  ///< shares of elements that are kept, by ActivationCut

  /// "FSDP", "tensor parallel with sequence sharding", ...: what most of the elements do.
  std::string words() const;
};

/// All collectives of a step that are of one kind and over the same mesh dims.
struct CollectiveSummary {
  std::optional<base::Collective> op;  ///< none: cuts of copies
  std::vector<int> mesh_dims;
  double count = 0;
  double bytes = 0;  ///< nccl-tests convention
  base::Seconds time;
};

struct Summary {
  std::vector<ParameterSummary> parameters;  ///< in the order of the graph
  std::vector<MeshDimSummary> mesh_dims;
  std::vector<CollectiveSummary> collectives;  ///< the longest first
  base::Seconds compute;
  base::Seconds communication;
};

/// \pre `pricing` is of the problem that make_problem() makes of `graph`.
Summary summarise(const TensorGraph& graph, const Pricing& pricing, const Solution& solution);

/// The parameter that a value is, through casts and aliases.
std::optional<int> parameter_of(const TensorGraph& graph, Value value);

}  // namespace strategies::autoshard
