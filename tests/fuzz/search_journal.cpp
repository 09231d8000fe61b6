#include "cli/search_journal.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/check.hpp"
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
  const std::filesystem::path path = std::filesystem::temp_directory_path() /
                                     ("foreshard-fuzz-" + std::to_string(getpid()) + ".search");
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  try {
    const auto journal = cli::SearchJournal::open(path, "a search");
    if (journal)
      CHECK_INVARIANT(journal->before(answers_to)(pieces) == answers_to(pieces));
    else
      fuzz::check_refusal(journal.error());
  } catch (const base::EnvironmentError&) {
    // Damage that only reading finds.
  }
  for (const char* beside : {"", "-wal", "-shm", "-journal"})
    std::filesystem::remove(path.string() + beside);
}
