#include "calibrate/import/gzip.hpp"

#include "tests/fuzz/fuzz.hpp"

/// Whatever the bytes are: a mistake, or a text that is not larger than was allowed.
void fuzz_one(std::string_view text) {
  constexpr std::size_t most = 1 << 16;
  const auto unpacked = calibrate::unpack_gzip(text, "f", most);
  if (!unpacked) return fuzz::check_refusal(unpacked.error());
  CHECK_INVARIANT(unpacked->size() <= most);
  CHECK_INVARIANT(calibrate::is_gzip(text));
}
