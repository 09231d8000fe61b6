#include "strategies/checkpoint_file/safetensors.hpp"
#include "tests/fuzz/fuzz.hpp"

/// What is let through without a problem covers the data exactly.
void fuzz_one(std::string_view text) {
  using namespace strategies::checkpoint_file;
  for (const std::uint64_t data : {std::uint64_t{0}, std::uint64_t{1696}}) {
    Checkpoint checkpoint;
    read_safetensors_header(text, data, "f.safetensors", checkpoint);
    fuzz::check(checkpoint.problems);
    if (!checkpoint.problems.empty()) continue;
    CHECK_INVARIANT(stored_bytes(checkpoint).count() == static_cast<std::int64_t>(data));
  }
}
