#include "base/json_documents.hpp"

#include <algorithm>
#include <utility>

namespace base {

std::vector<JsonPart> json_parts(std::string_view text) {
  std::vector<JsonPart> parts;
  JsonPart part{{}, 1};
  std::size_t begin = 0;
  int line = 1;
  int depth = 0;
  bool quoted = false;
  bool blank = true;  // nothing but white space since the last cut
  const auto cut = [&](std::size_t end) {
    if (!blank) parts.push_back({text.substr(begin, end - begin), part.line});
    begin = end;
    part.line = line;
    blank = true;
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n') ++line;
    if (quoted) {
      if (c == '\\')
        ++at;
      else if (c == '"')
        quoted = false;
    } else if (c == '\n' && depth <= 0) {
      cut(at + 1);
    } else {
      if (c == '"') quoted = true;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
    }
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') blank = false;
  }
  cut(text.size());
  return parts;
}

Result<Document> parse_part(const JsonPart& part, const std::string& file) {
  auto document = parse_json(part.text, file);
  if (document) return document;
  Diagnostics problems = std::move(document.error());
  for (Diagnostic& problem : problems)
    if (problem.where.line > 0) problem.where.line += part.line - 1;
  return tl::unexpected(problems);
}

SourceRef place_in(const Document& document, const Node& node, const JsonPart& part) {
  SourceRef where = document.where(node);
  where.line += part.line - 1;
  return where;
}

}  // namespace base
