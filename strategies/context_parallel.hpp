#pragma once

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "base/kernel.hpp"
#include "base/map_reader.hpp"

/// Context parallelism: every rank has a part of the tokens of each sequence, and attention, which
/// needs them all, exchanges keys and values or heads.
namespace strategies {

/// How attention sees all tokens.
enum class ContextAttention {
  ring,        ///< blocks of keys and values go round (arXiv 2310.01889); rank r has the r-th block
  zigzag,      ///< the same, but rank r has blocks r and 2 cp - 1 - r, so that causal work is equal
  all_gather,  ///< keys and values of all ranks are gathered (Llama 3, arXiv 2407.21783); zig-zag
  ulysses,     ///< tokens are exchanged for heads (DeepSpeed-Ulysses, arXiv 2309.14509)
};

inline constexpr std::array<std::pair<std::string_view, ContextAttention>, 4>
    context_attention_names{{
        {"ring", ContextAttention::ring},
        {"zigzag", ContextAttention::zigzag},
        {"all_gather", ContextAttention::all_gather},
        {"ulysses", ContextAttention::ulysses},
    }};

struct ContextParallel {
  int degree = 1;
  ContextAttention attention = ContextAttention::zigzag;
  /// Ranks that exchange heads, inside rings of degree / ulysses (USP, arXiv 2405.07719).
  int ulysses = 1;
  /// Keys and values travel once for every query head, not once for their group (ScaleTorch).
  bool expand_kv = false;

  /// Ranks of a ring or gathering.
  int ring() const { return degree / ulysses; }
  bool rings() const {
    return ring() > 1 &&
           (attention == ContextAttention::ring || attention == ContextAttention::zigzag);
  }

  bool operator==(const ContextParallel&) const = default;
};

/// Reads the `context:` map of a plan.
void read_context_parallel(base::MapReader& reader, ContextParallel& context);

/// The attention of the busiest rank of a ring or gathering, step by step, from the attention
/// of all tokens (`whole`, with the heads of this rank). A ring has a step for each of its ranks:
/// first the rank's own block, then those that arrive. Contiguous blocks make the last rank the
/// busiest; zig-zag ones give every rank the same: S / ring tokens against their own (causal), then
/// against half of each other rank's. The gathering is one step of two kernels, one for each of
/// the rank's blocks.
std::vector<std::vector<base::Attention>> attention_steps(const base::Attention& whole,
                                                          const ContextParallel& context);

}  // namespace strategies
