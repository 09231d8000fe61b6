#include "calibrate/nccl/overrides.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <vector>

#include "base/check.hpp"

namespace calibrate::nccl {

namespace {

constexpr std::array<std::string_view, 5> function_names{"allreduce", "allgather", "reducescatter",
                                                         "broadcast", "reduce"};
constexpr std::array<Collective, 5> functions{Collective::all_reduce, Collective::all_gather,
                                              Collective::reduce_scatter, Collective::broadcast,
                                              Collective::reduce};
constexpr std::array<std::string_view, 7> algorithm_names{
    "tree", "ring", "collnetdirect", "collnetchain", "nvls", "nvlstree", "pat"};
constexpr std::array<std::string_view, 3> protocol_names{"ll", "ll128", "simple"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

template <std::size_t N>
std::optional<std::size_t> find_name(const std::array<std::string_view, N>& names,
                                     std::string_view word) {
  for (std::size_t i = 0; i < N; ++i)
    if (names.at(i) == lower(word)) return i;
  return std::nullopt;
}

/// Pieces of a text and where each begins.
struct Piece {
  std::string_view text;
  std::size_t at;
};

std::vector<Piece> split(const Piece& whole, char separator) {
  std::vector<Piece> pieces;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = whole.text.find(separator, begin);
    pieces.push_back({whole.text.substr(begin, end - begin), whole.at + begin});
    if (end == std::string_view::npos) return pieces;
    begin = end + 1;
  }
}

/// One entry: which functions it is for and which elements it sets.
template <std::size_t N>
struct Entry {
  std::vector<std::size_t> functions;
  std::array<bool, N> chosen{};
};

template <std::size_t N>
class Reader {
 public:
  Reader(std::string variable, std::string_view kind, const std::array<std::string_view, N>& names,
         base::Diagnostics& problems)
      : variable_(std::move(variable)), kind_(kind), names_(names), problems_(problems) {}

  std::vector<Entry<N>> read(std::string_view text) {
    std::vector<Entry<N>> entries;
    if (text.empty()) return entries;
    for (const Piece& piece : split({text, 0}, ';'))
      entries.push_back(read_entry(piece, entries.empty()));
    return entries;
  }

 private:
  void error(const Piece& piece, std::string message, std::string hint = "") {
    problems_.push_back(
        {{variable_, 1, static_cast<int>(piece.at) + 1}, std::move(message), std::move(hint)});
  }

  Entry<N> read_entry(Piece piece, bool first) {
    Entry<N> entry;
    if (const std::size_t colon = piece.text.find(':'); colon != std::string_view::npos) {
      const Piece name{piece.text.substr(0, colon), piece.at};
      piece = {piece.text.substr(colon + 1), piece.at + colon + 1};
      if (const auto function = find_name(function_names, name.text))
        entry.functions.push_back(*function);
      else
        error(name, fmt::format("unknown function '{}'", name.text),
              base::suggest(lower(name.text), function_names));
    } else {
      for (std::size_t i = 0; i < function_names.size(); ++i) entry.functions.push_back(i);
      if (!first)
        error(piece, fmt::format("'{}' is for no function", piece.text),
              "only the first entry may leave it out: function:name,name");
    }
    const bool without = piece.text.starts_with('^');
    if (without) piece = {piece.text.substr(1), piece.at + 1};
    entry.chosen.fill(without);
    bool known = true;
    for (const Piece& word : split(piece, ',')) {
      if (const auto found = find_name(names_, word.text)) {
        entry.chosen.at(*found) = !without;
        continue;
      }
      known = false;
      error(word, fmt::format("unknown {} '{}'", kind_, word.text),
            base::suggest(lower(word.text), names_));
    }
    if (known && std::find(entry.chosen.begin(), entry.chosen.end(), true) == entry.chosen.end())
      error(piece, fmt::format("no {} is left", kind_));
    return entry;
  }

  std::string variable_;
  std::string_view kind_;
  const std::array<std::string_view, N>& names_;
  base::Diagnostics& problems_;
};

/// Whether the selection leaves the operation an algorithm and a protocol that NCCL has for it; on
/// some machines they may still be missing.
bool leaves_any(const Selection& selection, Collective op) {
  for (std::size_t a = 0; a < algorithms.size(); ++a)
    for (std::size_t p = 0; p < protocols.size(); ++p)
      if (selection.algorithms.at(a) && selection.protocols.at(p) != Allowed::no &&
          implements(algorithms.at(a), protocols.at(p), op))
        return true;
  return false;
}

}  // namespace

const Selection& Overrides::of(Collective op) const {
  const auto* found = std::find(functions.begin(), functions.end(), op);
  CHECK_INVARIANT(found != functions.end());
  return by_function.at(static_cast<std::size_t>(found - functions.begin()));
}

base::Result<Overrides> read_overrides(std::string_view algorithm_text,
                                       std::string_view protocol_text) {
  base::Diagnostics problems;
  Reader<7> algorithm_reader("NCCL_ALGO", "algorithm", algorithm_names, problems);
  Reader<3> protocol_reader("NCCL_PROTO", "protocol", protocol_names, problems);
  const auto algorithm_entries = algorithm_reader.read(algorithm_text);
  const auto protocol_entries = protocol_reader.read(protocol_text);
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));

  Overrides overrides;
  std::array<bool, 5> named{};
  const auto note_named = [&](const std::vector<std::size_t>& entry) {
    if (entry.size() == 1) named.at(entry.front()) = true;
  };
  for (const Entry<7>& entry : algorithm_entries) {
    for (const std::size_t f : entry.functions)
      overrides.by_function.at(f).algorithms = entry.chosen;
    note_named(entry.functions);
  }
  for (const Entry<3>& entry : protocol_entries) {
    for (const std::size_t f : entry.functions)
      for (std::size_t p = 0; p < protocols.size(); ++p)
        overrides.by_function.at(f).protocols.at(p) =
            entry.chosen.at(p) ? Allowed::yes : Allowed::no;
    note_named(entry.functions);
  }
  const std::string variable = algorithm_text.empty() ? "NCCL_PROTO" : "NCCL_ALGO";
  bool any = false;
  for (std::size_t f = 0; f < functions.size(); ++f) {
    const bool left = leaves_any(overrides.by_function.at(f), functions.at(f));
    any = any || left;
    if (!left && named.at(f))
      problems.push_back(
          {{variable, 1},
           fmt::format("no algorithm and protocol are left for {}", function_names.at(f)),
           "name one that NCCL has for it"});
  }
  if (!any && problems.empty())
    problems.push_back({{variable, 1}, "no algorithm and protocol are left for any function", ""});
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  return overrides;
}

}  // namespace calibrate::nccl
