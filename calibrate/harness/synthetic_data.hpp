#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "calibrate/harness/world.hpp"

/// Data of which the result of a collective is known exactly, whatever the order in which a library
/// adds: small whole numbers that every element type holds.
namespace calibrate::harness {

/// What rank `rank` of `ranks` sends: `elements` of `call.dtype`, as bytes.
std::vector<std::byte> sent_data(const CollectiveCall& call, int rank, int ranks,
                                 std::int64_t elements);

/// Whether a library cannot but come to the one result, so that a check makes sense: sums stay
/// within what the element type holds exactly, and averages are of a power of two.
bool exact(const CollectiveCall& call, int ranks);

/// How many elements of `received` are not what rank `rank` has to have after `call`.
std::int64_t wrong_elements(const CollectiveCall& call, int rank, int ranks,
                            std::span<const std::byte> received);

}  // namespace calibrate::harness
