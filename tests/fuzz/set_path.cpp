#include "base/document.hpp"
#include "tests/fuzz/fuzz.hpp"

/// Lines of `path=value`, one after another on one document.
void fuzz_one(std::string_view text) {
  base::Document document =
      *base::parse_yaml("plan: {tp: 4, list: [a, {b: c}]}\nname: x\nnone:\n", "f.yaml");
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::string_view path = line.substr(0, line.find('='));
    const std::string_view value = line.substr(std::min(line.size(), path.size() + 1));
    fuzz::check(base::set_path(document, path, value));
  }
}
