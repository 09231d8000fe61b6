#include "viz/page.hpp"

#include <zlib.h>

#include <cstdint>
#include <string_view>

#include "base/check.hpp"
#include "viz/page_template.hpp"

namespace viz {

namespace {

std::string compressed(std::string_view text) {
  uLongf size = compressBound(text.size());
  std::string out(size, '\0');
  const int code = compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                             reinterpret_cast<const Bytef*>(text.data()), text.size(), 6);
  CHECK_INVARIANT(code == Z_OK);  // the only other code is memory, which a string has told before
  out.resize(size);
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve(bytes.size() / 3 * 4 + 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t j = 0; j < 3; ++j)
      three = three << 8U | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      out += i + j <= bytes.size() ? digits[three >> (18 - 6 * j) & 63U] : '=';
  }
  return out;
}

}  // namespace

std::string page(const std::vector<std::string>& documents) {
  std::string all = "[";
  for (std::size_t i = 0; i < documents.size(); ++i) all += (i > 0 ? "," : "") + documents[i];
  all += "]";
  constexpr std::string_view mark = "foreshard-documents-here";
  const std::size_t at = page_template.find(mark);
  CHECK_INVARIANT(at != std::string_view::npos);
  return std::string(page_template.substr(0, at)) + base64(compressed(all)) +
         std::string(page_template.substr(at + mark.size()));
}

}  // namespace viz
