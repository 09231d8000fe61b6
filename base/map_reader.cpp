#include "base/map_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/quantity.hpp"

namespace base {

namespace {

std::string_view kind_name(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::null: return "empty";
    case Node::Kind::scalar: return "a single value";
    case Node::Kind::sequence: return "a list";
    case Node::Kind::map: return "a map";
  }
  return "?";
}

bool looks_octal(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

/// What is wrong with a scalar that should be a number; no message when nothing is.
struct NumberProblem {
  std::string message;
  std::string hint;
};

/// `subject` begins the message: "'gpus'", "each of 'shares'".
NumberProblem parse_number(const Node& value, std::string_view subject, double& out) {
  const std::string& text = value.text;
  double number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (value.quoted)
    return {fmt::format("{} must be a number, but is text in quotes", subject),
            "remove the quotes"};
  if (status == std::errc::result_out_of_range)
    return {fmt::format("{} is out of range: {}", subject, text), ""};
  if (status != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return {fmt::format("{} is not a number: '{}'", subject, text), ""};
  if (looks_octal(text))
    return {fmt::format("{} looks octal: {}", subject, text), "remove the leading 0"};
  out = number;
  return {};
}

}  // namespace

MapReader::MapReader(const Document& document, const Node& node, std::string path,
                     Diagnostics& problems, Origins* origins)
    : document_(&document),
      node_(&node),
      path_(std::move(path)),
      problems_(&problems),
      origins_(origins) {
  if (origins_ != nullptr) origins_->add(path_, document.where(node));
  if (node.kind != Node::Kind::map && node.kind != Node::Kind::null)
    problems_->push_back(
        {document.where(node),
         fmt::format("{} must be a map of keys, but is {}",
                     path_.empty() ? "the file" : fmt::format("'{}'", path_), kind_name(node.kind)),
         node.text.find(':') == std::string::npos ? "" : "a space must follow the ':' of a key"});
}

bool MapReader::has(std::string_view key) const {
  const Node* value = node_->find(key);
  return value != nullptr && value->kind != Node::Kind::null;
}

const Node* MapReader::find(std::string_view key) {
  if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) asked_.emplace_back(key);
  const Node* value = node_->find(key);
  if (value == nullptr || value->kind == Node::Kind::null) return nullptr;
  if (origins_ != nullptr) origins_->add(path_of(key), document_->where(*value));
  return value;
}

const Node* MapReader::scalar(std::string_view key, std::string_view wanted) {
  const Node* value = find(key);
  if (value == nullptr) return nullptr;
  if (value->kind == Node::Kind::scalar) return value;
  error(key, fmt::format("'{}' must be {}, but is {}", key, wanted, kind_name(value->kind)));
  return nullptr;
}

bool MapReader::present(std::string_view key) {
  if (has(key)) return true;
  find(key);
  const bool empty = node_->find(key) != nullptr;
  problems_->push_back(
      {where(key), fmt::format("'{}' is {}", path_of(key), empty ? "empty" : "missing"), ""});
  return false;
}

bool MapReader::read(std::string_view key, std::string& out) {
  const Node* value = scalar(key, "text");
  if (value == nullptr) return false;
  out = value->text;
  return true;
}

bool MapReader::read(std::string_view key, bool& out) {
  const Node* value = scalar(key, "true or false");
  if (value == nullptr) return false;
  if (!value->quoted && (value->text == "true" || value->text == "false")) {
    out = value->text == "true";
    return true;
  }
  error(key, fmt::format("'{}' must be true or false, but is {}'{}'", key,
                         value->quoted ? "the text " : "", value->text));
  return false;
}

bool MapReader::read(std::string_view key, int& out, Range<int> range) {
  std::int64_t wide = out;
  if (!read(key, wide, Range<std::int64_t>{range.min, range.max})) return false;
  out = static_cast<int>(wide);
  return true;
}

bool MapReader::read(std::string_view key, std::int64_t& out, Range<std::int64_t> range) {
  const Node* value = scalar(key, "a whole number");
  if (value == nullptr) return false;
  const std::string& text = value->text;
  std::int64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (value->quoted) {
    error(key, fmt::format("'{}' must be a whole number, but is text in quotes", key),
          "remove the quotes");
  } else if (status == std::errc::result_out_of_range) {
    error(key, fmt::format("'{}' is out of range: {}", key, text));
  } else if (status != std::errc() || end != text.data() + text.size()) {
    error(key, fmt::format("'{}' is not a whole number: '{}'", key, text));
  } else if (looks_octal(text)) {
    error(key, fmt::format("'{}' looks octal: {}", key, text), fmt::format("write {}", number));
  } else if (number < range.min) {
    error(key, fmt::format("'{}' is {}, must be at least {}", key, number, range.min));
  } else if (number > range.max) {
    error(key, fmt::format("'{}' is {}, must be at most {}", key, number, range.max));
  } else {
    out = number;
    return true;
  }
  return false;
}

bool MapReader::read(std::string_view key, double& out, Range<double> range) {
  const Node* value = scalar(key, "a number");
  if (value == nullptr) return false;
  double number = 0;
  NumberProblem problem = parse_number(*value, fmt::format("'{}'", key), number);
  if (!problem.message.empty()) {
    error(key, std::move(problem.message), std::move(problem.hint));
  } else if (number < range.min) {
    error(key, fmt::format("'{}' is {}, must be at least {}", key, value->text, range.min));
  } else if (number > range.max) {
    error(key, fmt::format("'{}' is {}, must be at most {}", key, value->text, range.max));
  } else {
    out = number;
    return true;
  }
  return false;
}

template <class T, class Parse>
bool MapReader::read_quantity(std::string_view key, T& out, Parse parse) {
  const Node* value = scalar(key, "a number with a unit");
  if (value == nullptr) return false;
  const auto quantity = parse(value->text);
  if (!quantity) {
    error(key, fmt::format("'{}' {}", key, quantity.error().message), quantity.error().hint);
    return false;
  }
  out = *quantity;
  return true;
}

bool MapReader::read(std::string_view key, Bytes& out) {
  return read_quantity(key, out, parse_bytes);
}
bool MapReader::read(std::string_view key, BytesPerSecond& out) {
  return read_quantity(key, out, parse_bytes_per_second);
}
bool MapReader::read(std::string_view key, Seconds& out) {
  return read_quantity(key, out, parse_seconds);
}
bool MapReader::read(std::string_view key, FlopPerSecond& out) {
  return read_quantity(key, out, parse_flop_per_second);
}

bool MapReader::read(std::string_view key, std::vector<std::string>& out) {
  const Node* value = find(key);
  if (value == nullptr) return false;
  if (value->kind != Node::Kind::sequence) {
    error(key, fmt::format("'{}' must be a list, but is {}", key, kind_name(value->kind)));
    return false;
  }
  std::vector<std::string> words;
  for (const Node& item : value->items) {
    if (item.kind != Node::Kind::scalar) {
      problems_->push_back(
          {document_->where(item),
           fmt::format("each of '{}' must be text, but this is {}", key, kind_name(item.kind)),
           ""});
      return false;
    }
    words.push_back(item.text);
  }
  out = std::move(words);
  return true;
}

bool MapReader::read(std::string_view key, std::vector<PlacedText>& out) {
  const Node* value = find(key);
  if (value == nullptr) return false;
  if (value->kind == Node::Kind::scalar) {
    out = {{value->text, document_->where(*value)}};
    return true;
  }
  std::vector<std::string> words;
  if (!read(key, words)) return false;
  out.clear();
  for (const Node& item : value->items) out.push_back({item.text, document_->where(item)});
  return true;
}

bool MapReader::read(std::string_view key, std::vector<double>& out) {
  std::vector<std::string> words;
  if (!read(key, words)) return false;
  std::vector<double> numbers;
  for (const Node& item : find(key)->items) {
    double number = 0;
    NumberProblem problem = parse_number(item, fmt::format("each of '{}'", key), number);
    if (!problem.message.empty()) {
      problems_->push_back(
          {document_->where(item), std::move(problem.message), std::move(problem.hint)});
      return false;
    }
    numbers.push_back(number);
  }
  out = std::move(numbers);
  return true;
}

std::optional<std::size_t> MapReader::choice(std::string_view key,
                                             std::span<const std::string_view> words) {
  const Node* value = scalar(key, "a word");
  if (value == nullptr) return std::nullopt;
  const auto found = std::find(words.begin(), words.end(), value->text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  error(key,
        fmt::format("'{}' is '{}', must be one of {}", key, value->text, fmt::join(words, ", ")),
        nearest(value->text, words).empty() ? "" : suggest(value->text, words));
  return std::nullopt;
}

std::optional<MapReader> MapReader::map(std::string_view key) {
  const Node* value = find(key);
  if (value == nullptr) return std::nullopt;
  MapReader reader(*document_, *value, path_of(key), *problems_, origins_);
  if (value->kind != Node::Kind::map) return std::nullopt;  // told once; its keys are not missing
  return reader;
}

std::optional<MapReader> MapReader::required_map(std::string_view key) {
  if (!present(key)) return std::nullopt;
  return map(key);
}

std::vector<MapReader> MapReader::maps(std::string_view key) {
  std::vector<MapReader> readers;
  const Node* value = find(key);
  if (value == nullptr) return readers;
  if (value->kind != Node::Kind::sequence) {
    error(key, fmt::format("'{}' must be a list, but is {}", key, kind_name(value->kind)));
    return readers;
  }
  for (std::size_t i = 0; i < value->items.size(); ++i)
    readers.emplace_back(*document_, value->items[i], fmt::format("{}.{}", path_of(key), i),
                         *problems_, origins_);
  return readers;
}

void MapReader::finish() {
  constexpr int most = 20;  // more than that is another kind of file
  const std::vector<std::string_view> known(asked_.begin(), asked_.end());
  int unknown = 0;
  for (const Node::Entry& entry : node_->entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    if (++unknown > most) continue;
    SourceRef place = document_->where(entry.value);
    if (entry.line > 0) place.line = entry.line, place.column = entry.column;
    problems_->push_back(
        {place, fmt::format("unknown key '{}'", entry.key), suggest(entry.key, known)});
  }
  if (unknown > most)
    problems_->push_back({where(), fmt::format("{} more unknown keys", unknown - most), ""});
}

void MapReader::error(std::string_view key, std::string message, std::string hint) {
  problems_->push_back({where(key), std::move(message), std::move(hint)});
}

void MapReader::warning(std::string_view key, std::string message, std::string hint) {
  problems_->push_back({where(key), std::move(message), std::move(hint), Severity::warning});
}

SourceRef MapReader::where() const { return document_->where(*node_); }

SourceRef MapReader::where(std::string_view key) const {
  const Node* value = node_->find(key);
  return document_->where(value == nullptr ? *node_ : *value);
}

std::vector<std::string_view> MapReader::keys() const {
  std::vector<std::string_view> names;
  for (const Node::Entry& entry : node_->entries) names.push_back(entry.key);
  return names;
}

std::string MapReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

}  // namespace base
