#include "viz/csv_line.hpp"

namespace viz {

namespace {

std::string field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  quoted += '"';
  return quoted;
}

}  // namespace

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& one : fields) {
    if (&one != &fields.front()) line += ',';
    line += field(one);
  }
  return line + "\n";
}

}  // namespace viz
