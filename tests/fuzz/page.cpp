#include "viz/page.hpp"

#include <algorithm>
#include <string>

#include "base/check.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "viz/page_template.hpp"

/// Whatever a document holds: the page is its template with nothing but base64 in the one place.
void fuzz_one(std::string_view text) {
  const std::string_view mark = "foreshard-documents-here";
  const std::size_t at = viz::page_template.find(mark);
  const std::size_t after = viz::page_template.size() - at - mark.size();
  const std::string made = viz::page({std::string(text)});
  CHECK_INVARIANT(made.size() > at + after);
  CHECK_INVARIANT(made.starts_with(viz::page_template.substr(0, at)));
  CHECK_INVARIANT(made.ends_with(viz::page_template.substr(at + mark.size())));
  const std::string_view inside = std::string_view(made).substr(at, made.size() - at - after);
  CHECK_INVARIANT(inside.size() % 4 == 0);
  CHECK_INVARIANT(std::all_of(inside.begin(), inside.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=';
  }));
}
