#pragma once

#include <set>
#include <string>

#include "calibrate/records.hpp"

namespace calibrate::fit {

/// What a fit rests on, for people.
class Basis {
 public:
  void add(const Run& run, const std::string& library_version);

  int rows() const { return rows_; }
  std::string versions() const;  ///< of the library: "2.27.7/2.28.9"; empty when unknown
  std::string dates() const;     ///< "2026-11-28", "2026-11-20 to 2026-11-28"; empty when unknown

 private:
  int rows_ = 0;
  std::set<std::string> versions_;
  std::set<std::string> dates_;
};

}  // namespace calibrate::fit
