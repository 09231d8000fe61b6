#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/csv.hpp"
#include "base/diagnostic.hpp"

/// Public traces of clusters: who asked when for how many GPUs, and for how long. Each format is
/// one file of this folder and one row of `formats`.
namespace sim::trace {

/// A job that asked for GPUs and ran.
struct Job {
  std::string name;
  double arrival = 0;   ///< seconds after that of the first
  double duration = 0;  ///< seconds that it ran, above 0
  int gpus = 0;         ///< of all its workers
  base::SourceRef where;
};

struct Trace {
  std::vector<Job> jobs;    ///< by arrival, then as in the file
  base::Diagnostics notes;  ///< what was left out, and what was made of gaps
};

struct Format {
  std::string_view name;   ///< what users write
  std::string_view what;   ///< for people, with the files
  std::size_t tables = 1;  ///< files that it takes
  /// Every cell that does not read as it should is a mistake; gaps that real traces have are not.
  base::Result<Trace> (*read)(std::span<const base::Csv> tables);
};

std::span<const Format> formats();

}  // namespace sim::trace
