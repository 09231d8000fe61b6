#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"

/// Lists of host names as Slurm writes them: "n[0-3,7],login-1".
namespace topology {

/// Longest list that is written out; more is a typing mistake that would only fill the memory.
inline constexpr std::size_t hostlist_names_max = 1 << 20;

/// The names in their order, repeated ones too. Ranges are of numbers and keep leading zeros
/// ("n[008-010]"); a name may have several brackets, the last of them counts fastest. `where` is
/// the place of the first character; mistakes point into the text.
base::Result<std::vector<std::string>> expand_hostlist(std::string_view text,
                                                       const base::SourceRef& where = {"hostlist",
                                                                                       1, 1});

/// The shortest text of one bracket a run that names the same hosts in the same order:
/// expand_hostlist gives `names` again. \pre no name is empty or has a comma, bracket or space.
std::string compress_hostlist(std::span<const std::string> names);

/// Whether a name may stand in a hostlist as it is.
bool fits_hostlist(std::string_view name);

}  // namespace topology
