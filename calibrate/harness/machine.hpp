#pragma once

#include <cstdint>
#include <string>

#include "calibrate/harness/device.hpp"
#include "calibrate/harness/world.hpp"
#include "calibrate/records.hpp"

/// What a run says of where it ran.
namespace calibrate::harness {

Machine this_machine();

/// A number that ranks of one host share and others do not.
std::uint64_t host_identity();

/// Ranks that have to share a device, or a core, on the host that has most of them to one; the same
/// on all ranks, which call it together.
int ranks_per_device(const World& world, const Device& device);

/// UTC now, as Run has it.
std::string now_text();

/// An identity for a run: 32 random hexadecimal digits.
std::string new_run_id();

}  // namespace calibrate::harness
