#include "topology/hostlist.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "base/check.hpp"

namespace topology {

namespace {

constexpr std::size_t digits_max = 18;  // fits 64 bits
constexpr std::size_t name_max = 255;   // of DNS; a longer one times a range would fill the memory

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::uint64_t number_of(std::string_view digits) {
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

/// One "a-b" or "a" inside brackets.
struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::size_t width = 0;  ///< zeros are put before shorter numbers
};

class Expander {
 public:
  Expander(std::string_view text, const base::SourceRef& where) : text_(text), where_(where) {}

  base::Result<std::vector<std::string>> expand() {
    while (problems_.empty()) {
      word();
      if (at_ == text_.size()) break;
      ++at_;  // the comma
    }
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    return std::move(names_);
  }

 private:
  void fail(std::size_t offset, std::string message, std::string hint) {
    base::SourceRef where = where_;
    where.column += where.line > 0 ? static_cast<int>(offset) : 0;
    problems_.push_back({where, std::move(message), std::move(hint)});
  }

  /// One name with brackets, up to the comma behind it.
  void word() {
    const std::size_t begin = at_;
    std::vector<std::string> names{""};
    while (problems_.empty() && at_ < text_.size() && text_[at_] != ',') {
      const char c = text_[at_];
      if (c == ']') return fail(at_, "a ']' without its '['", "");
      if (c == ' ' || c == '\t') return fail(at_, "a space inside a hostlist", "join by commas");
      if (c == '[') {
        append_ranges(names);
        continue;
      }
      const std::size_t end = std::min(text_.find_first_of(",[] \t", at_), text_.size());
      if (names.front().size() + end - at_ > name_max)
        return fail(begin, fmt::format("a name of more than {} characters", name_max), "");
      for (std::string& name : names) name += text_.substr(at_, end - at_);
      at_ = end;
    }
    if (!problems_.empty()) return;
    if (at_ == begin) return fail(at_, "an empty name in the hostlist", "");
    if (names_.size() + names.size() > hostlist_names_max) return too_many(begin);
    names_.insert(names_.end(), std::make_move_iterator(names.begin()),
                  std::make_move_iterator(names.end()));
  }

  void append_ranges(std::vector<std::string>& names) {
    const std::size_t open = at_;
    const std::size_t close = text_.find(']', open);
    if (close == std::string_view::npos) return fail(open, "a '[' without its ']'", "");
    const std::vector<Range> ranges = ranges_in(open + 1, close);
    if (!problems_.empty()) return;
    std::uint64_t count = 0;
    for (const Range& range : ranges)
      count = std::min<std::uint64_t>(count + range.last - range.first + 1, hostlist_names_max + 1);
    if (count * names.size() > hostlist_names_max) return too_many(open);
    if (names.front().size() + digits_max > name_max)
      return fail(open, fmt::format("a name of more than {} characters", name_max), "");
    std::vector<std::string> longer;
    longer.reserve(count * names.size());
    for (const std::string& name : names)
      for (const Range& range : ranges)
        for (std::uint64_t n = range.first; n <= range.last; ++n)
          longer.push_back(fmt::format("{}{:0{}}", name, n, range.width));
    names = std::move(longer);
    at_ = close + 1;
  }

  std::vector<Range> ranges_in(std::size_t begin, std::size_t end) {
    std::vector<Range> ranges;
    while (problems_.empty()) {
      const std::size_t comma = std::min(text_.find(',', begin), end);
      if (const auto range = range_in(begin, text_.substr(begin, comma - begin)))
        ranges.push_back(*range);
      if (comma == end) break;
      begin = comma + 1;
    }
    return ranges;
  }

  std::optional<Range> range_in(std::size_t offset, std::string_view text) {
    const std::size_t dash = std::min(text.find('-'), text.size());
    const std::string_view first = text.substr(0, dash);
    const std::string_view last = dash == text.size() ? first : text.substr(dash + 1);
    for (const std::string_view number : {first, last}) {
      if (!number.empty() && number.size() <= digits_max &&
          std::all_of(number.begin(), number.end(), is_digit))
        continue;
      fail(offset, fmt::format("'{}' is no range of numbers", text), "write for example [0-3,7]");
      return std::nullopt;
    }
    const Range range{number_of(first), number_of(last), first.size()};
    if (range.first <= range.last) return range;
    fail(offset, fmt::format("the range '{}' ends before it begins", text), "");
    return std::nullopt;
  }

  void too_many(std::size_t offset) {
    fail(offset, fmt::format("more than {} names", hostlist_names_max), "");
  }

  std::string_view text_;
  base::SourceRef where_;
  std::size_t at_ = 0;
  std::vector<std::string> names_;
  base::Diagnostics problems_;
};

/// A name that ends in digits, as a range may hold it.
struct Numbered {
  std::string_view prefix;
  std::string_view digits;  ///< empty: the name has no number at its end, or a huge one
};

Numbered split(std::string_view name) {
  std::size_t begin = name.size();
  while (begin > 0 && is_digit(name[begin - 1])) --begin;
  if (name.size() - begin > digits_max) begin = name.size();
  return {name.substr(0, begin), name.substr(begin)};
}

/// Whether counting up by one from `a` writes `b`: "9" to "10", but not "09" to "010".
bool follows(std::string_view a, std::string_view b) {
  return fmt::format("{:0{}}", number_of(a) + 1, a.size()) == b;
}

}  // namespace

base::Result<std::vector<std::string>> expand_hostlist(std::string_view text,
                                                       const base::SourceRef& where) {
  return Expander(text, where).expand();
}

std::string compress_hostlist(std::span<const std::string> names) {
  std::string text;
  for (std::size_t i = 0; i < names.size();) {
    CHECK_INVARIANT(fits_hostlist(names[i]));
    if (i > 0) text += ',';
    const Numbered first = split(names[i]);
    std::string ranges;
    std::size_t count = 0;
    // The prefix and its numbers, as runs, for as long as names have this prefix.
    while (!first.digits.empty() && i < names.size() && split(names[i]).prefix == first.prefix &&
           !split(names[i]).digits.empty()) {
      const std::string_view begin = split(names[i]).digits;
      std::string_view end = begin;
      for (++i, ++count; i < names.size(); ++i, ++count) {
        const Numbered next = split(names[i]);
        // The width of a range is that of its first number.
        if (next.prefix != first.prefix || !follows(end, next.digits)) break;
        end = next.digits;
      }
      if (!ranges.empty()) ranges += ',';
      ranges += begin;
      if (end != begin) ranges += fmt::format("-{}", end);
    }
    if (count == 0) {
      text += names[i++];
    } else if (count == 1) {
      text += fmt::format("{}{}", first.prefix, ranges);
    } else {
      text += fmt::format("{}[{}]", first.prefix, ranges);
    }
  }
  return text;
}

bool fits_hostlist(std::string_view name) {
  return !name.empty() && name.find_first_of(",[] \t\r\n") == std::string_view::npos;
}

}  // namespace topology
