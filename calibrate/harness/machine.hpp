#pragma once

#include <cstdint>
#include <string>

#include "calibrate/harness/world.hpp"
#include "calibrate/records.hpp"

/// What a run says of where it ran.
namespace calibrate::harness {

Machine this_machine();

/// A number that ranks of one host share and others do not.
std::uint64_t host_identity();

/// Whether this host has more ranks than those may use cores. All ranks together.
bool ranks_share_cores(const World& world);

/// UTC now, as Run has it.
std::string now_text();

/// An identity for a run: 32 random hexadecimal digits.
std::string new_run_id();

}  // namespace calibrate::harness
