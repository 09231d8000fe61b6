#include "strategies/checkpoint_file/distributed.hpp"
#include "tests/fuzz/fuzz.hpp"

void fuzz_one(std::string_view text) {
  using namespace strategies::checkpoint_file;
  Checkpoint checkpoint;
  const auto reach = read_distributed_metadata(text, ".metadata", checkpoint);
  if (!reach) return fuzz::check_refusal(reach.error());
  fuzz::check(checkpoint.problems);
  for (const auto& [file, end] : *reach) CHECK_INVARIANT(end >= 0);
  for (const SavedTensor& tensor : checkpoint.tensors) CHECK_INVARIANT(tensor.bytes().count() >= 0);
}
