#include "calibrate/import/json_reader.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "calibrate/import/import.hpp"

namespace calibrate {

namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

const base::Node* scalar_of(const base::Node& map, std::string_view key) {
  const base::Node* node = map.find(key);
  return node == nullptr || node->kind == base::Node::Kind::null ? nullptr : node;
}

}  // namespace

void JsonReader::error(const base::Node& node, std::string message, std::string hint) {
  problems_->push_back({where(node), std::move(message), std::move(hint)});
}

const base::Node* JsonReader::require(const base::Node& map, std::string_view key) {
  const base::Node* node = map.find(key);
  if (node != nullptr) return node;
  std::vector<std::string_view> keys;
  for (const base::Node::Entry& entry : map.entries) keys.push_back(entry.key);
  error(map, fmt::format("no \"{}\" here", key), keys.empty() ? "" : base::suggest(key, keys));
  return nullptr;
}

std::string JsonReader::text(const base::Node& map, std::string_view key) {
  const base::Node* node = scalar_of(map, key);
  return node == nullptr ? "" : std::string(trimmed(node->text));
}

std::optional<double> JsonReader::number(const base::Node& map, std::string_view key, double min) {
  const base::Node* node = scalar_of(map, key);
  if (node == nullptr) return std::nullopt;
  const std::optional<double> value = to_number(trimmed(node->text));
  if (node->kind == base::Node::Kind::scalar && value && std::isfinite(*value) && *value >= min)
    return value;
  error(*node, fmt::format("\"{}\" is no number from {}", key, min));
  return std::nullopt;
}

std::optional<std::int64_t> JsonReader::whole(const base::Node& map, std::string_view key,
                                              std::int64_t min) {
  const base::Node* node = scalar_of(map, key);
  if (node == nullptr) return std::nullopt;
  const std::optional<std::int64_t> value = to_whole(trimmed(node->text));
  if (node->kind == base::Node::Kind::scalar && value && *value >= min) return value;
  error(*node, fmt::format("\"{}\" is no whole number from {}", key, min));
  return std::nullopt;
}

std::optional<double> JsonReader::required_number(const base::Node& map, std::string_view key,
                                                  double min) {
  const base::Node* node = require(map, key);
  if (node == nullptr) return std::nullopt;
  if (node->kind == base::Node::Kind::null) error(*node, fmt::format("\"{}\" is null", key));
  return number(map, key, min);
}

std::optional<std::int64_t> JsonReader::required_whole(const base::Node& map, std::string_view key,
                                                       std::int64_t min) {
  const base::Node* node = require(map, key);
  if (node == nullptr) return std::nullopt;
  if (node->kind == base::Node::Kind::null) error(*node, fmt::format("\"{}\" is null", key));
  return whole(map, key, min);
}

std::optional<double> JsonReader::required_time(const base::Node& map, std::string_view key) {
  const std::optional<double> us = required_number(map, key, 0);
  if (!us) return std::nullopt;
  if (*us > 0) return *us * 1e-6;
  error(*map.find(key), fmt::format("\"{}\" is 0, which is no time", key));
  return std::nullopt;
}

}  // namespace calibrate
