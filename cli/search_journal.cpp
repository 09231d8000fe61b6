#include "cli/search_journal.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

namespace cli {

namespace {

using calibrate::store::Access;
using calibrate::store::Database;
using calibrate::store::Statement;

/// "foreshard search" in SQLite's application_id: the letters of "fssr".
constexpr std::int64_t application = 0x66737372;

/// Pieces and answers are bytes; as hexadecimal digits they are text that any tool can show.
std::string hexadecimal(const std::string& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += digits[value >> 4U];
    text += digits[value & 15U];
  }
  return text;
}

std::optional<std::string> bytes_of(const std::string& text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

/// FNV-1a, 64 bits: tells searches apart, and answers that a fault or a hand has changed; nobody
/// has a reason to forge it.
std::string digest(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : text) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001b3U;
  }
  return fmt::format("{:016x}", hash);
}

/// Of an answer that stands in the row of a piece.
std::string digest_of_row(const std::string& piece, const std::string& answer) {
  return digest(fmt::format("{} {}", hexadecimal(piece), hexadecimal(answer)));
}

/// Counts up when the tables change: files from before are those of another version.
constexpr int layout = 2;

}  // namespace

base::Result<SearchJournal> SearchJournal::open(const std::string& path, const std::string& of) {
  auto database = Database::open(path, Access::write);
  if (!database) return tl::unexpected(database.error());
  const std::int64_t owner = database->pragma("application_id");
  const bool empty = database->pragma("schema_version") == 0;
  if (!empty && owner != application)
    return tl::unexpected(base::Diagnostics{
        {{path}, "is a database of something else", "name a new file, or that of a search"}});
  const std::string search = digest(fmt::format("{}\n{}", layout, of));
  std::optional<std::string> known;
  database->transaction([&] {
    database->execute(fmt::format("PRAGMA application_id = {}", application));
    database->execute(
        "CREATE TABLE IF NOT EXISTS search (digest TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS answer (piece TEXT PRIMARY KEY, answer TEXT NOT NULL,"
        " digest TEXT NOT NULL) WITHOUT ROWID");
    Statement rows = database->prepare("SELECT digest FROM search");
    if (rows.step()) known = rows.value<std::string>();
    if (!known) database->prepare("INSERT INTO search VALUES (?)").bind(search).run();
  });
  if (known && *known != search)
    return tl::unexpected(
        base::Diagnostics{{{path},
                           "has a search of another scenario, of other axes, or of another "
                           "version of foreshard",
                           "name a new file"}});
  return SearchJournal(std::move(*database));
}

Workers SearchJournal::before(Workers workers) const {
  return [this, workers = std::move(workers)](const std::vector<std::string>& pieces) {
    std::map<std::string, std::string> known;
    std::vector<std::string> missing;
    Statement find = database_.prepare("SELECT answer, digest FROM answer WHERE piece = ?");
    for (const std::string& piece : pieces) {
      find.bind(hexadecimal(piece));
      if (find.step()) {
        const auto bytes = bytes_of(find.value<std::string>());
        if (!bytes || find.value<std::string>(1) != digest_of_row(piece, *bytes))
          database_.damaged("an answer is not what was written");
        known.emplace(piece, *bytes);
      } else {
        missing.push_back(piece);
      }
      find.reset();
    }
    const std::vector<std::string> fresh =
        missing.empty() ? std::vector<std::string>{} : workers(missing);
    database_.transaction([&] {
      Statement add = database_.prepare("INSERT OR IGNORE INTO answer VALUES (?, ?, ?)");
      for (std::size_t i = 0; i < missing.size(); ++i)
        add.bind(hexadecimal(missing[i]), hexadecimal(fresh[i]),
                 digest_of_row(missing[i], fresh[i]))
            .run();
    });
    for (std::size_t i = 0; i < missing.size(); ++i) known.emplace(missing[i], fresh[i]);
    std::vector<std::string> answers;
    for (const std::string& piece : pieces) answers.push_back(known.at(piece));
    return answers;
  };
}

}  // namespace cli
