#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json_documents.hpp"

namespace calibrate {

/// Reads values of one JSON text that other people's programs wrote: numbers may be in quotes, keys
/// that are not asked for do not matter. Mistakes go to `problems`.
class JsonReader {
 public:
  JsonReader(const base::Document& document, const base::JsonPart& part,
             base::Diagnostics& problems)
      : document_(&document), part_(&part), problems_(&problems) {}

  base::SourceRef where(const base::Node& node) const {
    return base::place_in(*document_, node, *part_);
  }
  void error(const base::Node& node, std::string message, std::string hint = {});

  /// The value under a key, an error when there is none.
  const base::Node* require(const base::Node& map, std::string_view key);
  /// Text of a scalar without spaces around it; empty when there is none.
  static std::string text(const base::Node& map, std::string_view key);
  /// A finite number from `min` on; nothing when the key is absent or null, an error when it is
  /// something else.
  std::optional<double> number(const base::Node& map, std::string_view key, double min);
  std::optional<std::int64_t> whole(const base::Node& map, std::string_view key, std::int64_t min);
  /// As before, but an absent key is an error, too.
  std::optional<double> required_number(const base::Node& map, std::string_view key, double min);
  std::optional<std::int64_t> required_whole(const base::Node& map, std::string_view key,
                                             std::int64_t min);
  /// A time in seconds from one in microseconds, above 0.
  std::optional<double> required_time(const base::Node& map, std::string_view key);

 private:
  const base::Document* document_;
  const base::JsonPart* part_;
  base::Diagnostics* problems_;
};

}  // namespace calibrate
