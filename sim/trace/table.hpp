#pragma once

#include "sim/trace/trace.hpp"

/// The readers behind `formats`; internal to the folder.
namespace sim::trace {

base::Result<Trace> read_openb(std::span<const base::Csv> tables);
base::Result<Trace> read_spot(std::span<const base::Csv> tables);
base::Result<Trace> read_helios(std::span<const base::Csv> tables);
base::Result<Trace> read_lingjun(std::span<const base::Csv> tables);

}  // namespace sim::trace
