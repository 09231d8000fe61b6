#pragma once

#include <string>

#include "base/diagnostic.hpp"
#include "calibrate/store/database.hpp"
#include "cli/plan_search.hpp"

namespace cli {

/// What parts of a search came to, in a SQLite file, so that a search that was killed goes on where
/// it was: what is answered there is not asked again. Since a search asks the same whenever it
/// runs, it then comes to the same end.
class SearchJournal {
 public:
  /// Opens a file or makes one. \param of everything that answers depend on; a file with answers to
  /// something else is a mistake.
  static base::Result<SearchJournal> open(const std::string& path, const std::string& of);

  /// Workers that ask the file first, and write down what `workers` answer, a round at a time.
  Workers before(Workers workers) const;

 private:
  explicit SearchJournal(calibrate::store::Database database) : database_(std::move(database)) {}

  calibrate::store::Database database_;
};

}  // namespace cli
