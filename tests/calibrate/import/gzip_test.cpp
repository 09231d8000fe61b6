// Packed files, as PyTorch's profiler writes them.

#include "calibrate/import/gzip.hpp"

#include <zlib.h>

#include <vector>

#include "tests/calibrate/support.hpp"

namespace calibrate {
namespace {

std::string packed(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string bytes(deflateBound(&stream, text.size()), '\0');
  std::string input = text;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  bytes.resize(bytes.size() - stream.avail_out);
  deflateEnd(&stream);
  return bytes;
}

std::string refusal(const std::string& bytes, std::size_t most = unpacked_max) {
  const auto text = unpack_gzip(bytes, "a.json.gz", most);
  REQUIRE_FALSE(text);
  return text_of(text.error());
}

TEST_CASE("packed text is what it was, in one member or several") {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919) + "\n";
  CHECK(is_gzip(packed(text)));
  CHECK_FALSE(is_gzip(text));
  CHECK(unpack_gzip(packed(text), "f").value() == text);
  CHECK(unpack_gzip(packed("one ") + packed("") + packed("two"), "f").value() == "one two");
}

TEST_CASE("packed data that was cut anywhere is told") {
  const std::string whole = packed("all of it");
  for (std::size_t size = 2; size < whole.size(); ++size)
    CHECK(refusal(whole.substr(0, size)) ==
          "a.json.gz: error: is cut off: packed data without an end\n");
}

TEST_CASE("damaged packed data, and what follows it, is told") {
  std::string bytes = packed("all of it");
  bytes[bytes.size() - 6] ^= 1;  // of the checksum
  CHECK(refusal(bytes).starts_with("a.json.gz: error: is damaged packed data: "));
  CHECK(refusal(packed("a") + "rest") ==
        "a.json.gz: error: something that is not packed follows packed data\n");
}

TEST_CASE("what unpacks to too much is refused before it fills the memory") {
  // 64 MiB of zeros in 64 KiB; a limit of 1 MiB is met at the first piece beyond it.
  const std::string bomb = packed(std::string(std::size_t{64} << 20, '\0'));
  REQUIRE(bomb.size() < 100'000);
  CHECK(refusal(bomb, 1 << 20) ==
        "a.json.gz: error: unpacks to more than 1048576 bytes (cut it into parts)\n");
  CHECK(unpack_gzip(packed(std::string(1 << 20, 'x')), "f", 1 << 20)->size() == 1 << 20);
  CHECK_FALSE(unpack_gzip(packed(std::string((1 << 20) + 1, 'x')), "f", 1 << 20));
}

}  // namespace
}  // namespace calibrate
