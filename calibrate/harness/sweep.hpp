#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/collective.hpp"
#include "base/diagnostic.hpp"
#include "base/units.hpp"

/// Which messages a sweep measures: the options of nccl-tests, and its rounding of sizes.
namespace calibrate {

/// A number format of messages, as nccl-tests calls it.
struct ElementType {
  std::string_view name;
  int bytes;
};

inline constexpr std::array<ElementType, 12> element_types{{
    {"int8", 1},
    {"uint8", 1},
    {"int32", 4},
    {"uint32", 4},
    {"int64", 8},
    {"uint64", 8},
    {"half", 2},
    {"float", 4},
    {"double", 8},
    {"bfloat16", 2},
    {"f8e4m3", 1},
    {"f8e5m2", 1},
}};

/// nullptr when there is none of that name.
const ElementType* find_element_type(std::string_view name);

/// Reductions that can be measured, in the order of "-o all". nccl-tests has "mulsum", too.
inline constexpr std::array<std::string_view, 5> reductions{"sum", "prod", "max", "min", "avg"};

/// How the times of all ranks become one (-a).
enum class RankAverage { rank_0, mean, min, max };

/// The options of nccl-tests 2.19 that the harness has, with their defaults.
struct SweepOptions {
  std::int64_t bytes_min = 32LL << 20;         ///< -b
  std::int64_t bytes_max = 32LL << 20;         ///< -e
  std::int64_t step_bytes = 1LL << 20;         ///< -i, from size to size when there is no factor
  std::int64_t step_factor = 1;                ///< -f, 1: none
  int iterations = 20;                         ///< -n, that are timed
  int warm_up = 1;                             ///< -w
  int aggregated = 1;                          ///< -m, operations of one iteration
  int cycles = 1;                              ///< -N, of the whole sweep; 0: until it is stopped
  int checks = 1;                              ///< -c, runs whose data is checked
  std::vector<std::string> reductions{"sum"};  ///< -o
  std::vector<std::string> dtypes{"float"};    ///< -d
  std::optional<int> root = 0;                 ///< -r; nothing: every rank in its turn
  RankAverage average = RankAverage::mean;     ///< -a
  int timeout_s = 0;                           ///< -T, 0: none
  std::string json;                            ///< -J, the file; empty: none
  bool issue_time = false;                     ///< -C, of the calls instead of the work
  bool time_stamps = false;                    ///< -S
  bool per_iteration = false;                  ///< -I
  int skipped = 0;  ///< -K, first iterations that those statistics leave out

  bool operator==(const SweepOptions&) const = default;
};

/// Most sizes of one sweep.
inline constexpr std::int64_t sweep_sizes_max = 100'000;

/// Reads words such as "-b", "8", "-e64M", "--iters=5". An option given twice has its last value,
/// as with nccl-tests. Places of mistakes are the words themselves.
base::Result<SweepOptions> parse_sweep_options(std::span<const std::string> words);

bool has_reduction(base::Collective op);
bool has_root(base::Collective op);

/// What one call of a collective moves, in elements but for `bytes`.
struct CallSize {
  std::int64_t count = 0;    ///< the argument of the call
  std::int64_t send = 0;     ///< buffer of a rank; of scatter: of the root
  std::int64_t receive = 0;  ///< buffer of a rank; of gather: of the root
  base::Bytes bytes;         ///< the size that is printed, see base::Collective

  bool operator==(const CallSize&) const = default;
};

/// The call for a size that was asked for. What each rank has of an operation whose buffer is
/// shared by all is rounded down to whole 16 bytes, so the size can be less, and 0.
CallSize call_size(base::Collective op, int ranks, std::int64_t wanted_bytes, int element_bytes);

/// The calls of one cycle, in order; a single one of nothing for barriers.
std::vector<CallSize> sweep_calls(base::Collective op, int ranks, int element_bytes,
                                  const SweepOptions& options);

}  // namespace calibrate
