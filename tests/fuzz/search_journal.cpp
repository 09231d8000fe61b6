#include "cli/search_journal.hpp"

#include <string>
#include <vector>

#include "base/check.hpp"
#include "tests/fuzz/database_file.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

const std::vector<std::string> pieces{"one", std::string("\0\x7f", 2), ""};

std::vector<std::string> answers_to(const std::vector<std::string>& asked) {
  std::vector<std::string> answers;
  for (const std::string& piece : asked) answers.push_back("answer to " + piece);
  return answers;
}

}  // namespace

/// Any bytes as the journal of a search: refused, found to be damaged, or every answer is the one
/// that was written.
void fuzz_one(std::string_view bytes) {
  fuzz::with_database_file(bytes, [](const std::string& path) {
    const auto journal = cli::SearchJournal::open(path, "a search");
    if (journal)
      CHECK_INVARIANT(journal->before(answers_to)(pieces) == answers_to(pieces));
    else
      fuzz::check_refusal(journal.error());
  });
}
