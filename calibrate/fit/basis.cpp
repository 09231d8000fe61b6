#include "calibrate/fit/basis.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace calibrate::fit {

void Basis::add(const Run& run, const std::string& library_version) {
  constexpr std::size_t date = 10;  // "2026-11-28" of "2026-11-28T11:30:00Z"
  ++rows_;
  if (!library_version.empty()) versions_.insert(library_version);
  if (run.started.size() >= date) dates_.insert(run.started.substr(0, date));
}

std::string Basis::versions() const { return fmt::format("{}", fmt::join(versions_, "/")); }

std::string Basis::dates() const {
  if (dates_.size() < 2) return dates_.empty() ? std::string() : *dates_.begin();
  return fmt::format("{} to {}", *dates_.begin(), *dates_.rbegin());
}

}  // namespace calibrate::fit
