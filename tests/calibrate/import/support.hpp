#pragma once

#include <string>
#include <vector>

#include "calibrate/import/import.hpp"
#include "tests/calibrate/support.hpp"

namespace calibrate {

/// What an importer makes of a text that it must accept.
template <class Import>
Imported imported(Import import, const std::string& text, const ImportOptions& options = {}) {
  const ImportResult result = import(text, "log", options);
  INFO((result ? "" : text_of(result.error())));
  REQUIRE(result);
  return *result;
}

/// The mistakes of a text that it must refuse.
template <class Import>
std::string mistakes(Import import, const std::string& text, const ImportOptions& options = {}) {
  const ImportResult result = import(text, "log", options);
  REQUIRE_FALSE(result);
  return text_of(result.error());
}

/// All collectives of all runs, without where they stood in their files.
inline std::vector<CollectiveRecord> collectives_of(const Imported& imported) {
  std::vector<CollectiveRecord> records;
  for (const RunRecords& run : imported.runs)
    for (CollectiveRecord record : run.collectives) {
      record.line = 0;
      records.push_back(std::move(record));
    }
  return records;
}

/// "8.42 us": times are what was printed, times a millionth.
inline double us(double value) { return value * 1e-6; }

}  // namespace calibrate
