#include "viz/page.hpp"

#include <zlib.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/catch.hpp"
#include "viz/page_template.hpp"

namespace viz {
namespace {

std::string unpacked(std::string_view base64) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : base64) {
    if (c == '=') break;
    bits = bits << 6U | static_cast<unsigned>(digits.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> static_cast<unsigned>(count) & 0xFFU);
  }
  std::string text(1U << 20U, '\0');
  uLongf size = text.size();
  REQUIRE(uncompress(reinterpret_cast<Bytef*>(text.data()), &size,
                     reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()) == Z_OK);
  text.resize(size);
  return text;
}

/// What a page holds between the parts of its template.
std::string documents_of(const std::string& page) {
  const std::string_view mark = "foreshard-documents-here";
  const std::size_t at = page_template.find(mark);
  const std::size_t after = page_template.size() - at - mark.size();
  REQUIRE(page.size() > at + after);
  CHECK(page.substr(0, at) == page_template.substr(0, at));
  CHECK(page.substr(page.size() - after) == page_template.substr(at + mark.size()));
  return unpacked(std::string_view(page).substr(at, page.size() - at - after));
}

TEST_CASE("a page holds its documents as they are") {
  CHECK(documents_of(page({R"({"a":1})"})) == R"([{"a":1}])");
  CHECK(documents_of(page({"{}", R"({"b":"ü"})"})) == R"([{},{"b":"ü"}])");
  // Whatever is left over after groups of three bytes.
  for (std::size_t length = 0; length < 40; ++length) {
    const std::string document = "{\"" + std::string(length, 'x') + "\":1}";
    CHECK(documents_of(page({document})) == "[" + document + "]");
  }
}

TEST_CASE("no name can end the element that holds the documents") {
  const std::string hostile = R"({"name":"</script><script>alert(1)</script><!--"})";
  const std::string made = page({hostile});
  CHECK(documents_of(made) == "[" + hostile + "]");
  CHECK(made.find("alert(1)") == std::string::npos);
}

TEST_CASE("the template names no other place and has one mark for documents") {
  const std::string_view text = page_template;
  const std::size_t at = text.find("foreshard-documents-here");
  REQUIRE(at != std::string_view::npos);
  CHECK(text.find("foreshard-documents-here", at + 1) == std::string_view::npos);
  CHECK(text.find("default-src 'none'") != std::string_view::npos);
  for (const std::string_view element : {"<link rel=\"stylesheet\"", "<script src=", "<img"})
    CHECK(text.find(element) == std::string_view::npos);
}

}  // namespace
}  // namespace viz
