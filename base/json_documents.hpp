#pragma once

#include <string_view>
#include <vector>

#include "base/document.hpp"

/// Files of several JSON texts one after the other, each on lines of its own (JSON Lines).
namespace base {

struct JsonPart {
  std::string_view text;
  int line = 1;  ///< of the file, where it begins
};

/// Cuts a file after each object that ends with its line. What is no JSON is left to the parser.
std::vector<JsonPart> json_parts(std::string_view text);

/// parse_json with places in the whole file.
Result<Document> parse_part(const JsonPart& part, const std::string& file);

/// The place of a node of a part in the whole file.
SourceRef place_in(const Document& document, const Node& node, const JsonPart& part);

}  // namespace base
