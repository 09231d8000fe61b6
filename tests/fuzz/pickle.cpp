#include "strategies/checkpoint_file/pickle.hpp"

#include "strategies/checkpoint_file/pickled_tensors.hpp"
#include "tests/fuzz/fuzz.hpp"

void fuzz_one(std::string_view text) {
  using namespace strategies::checkpoint_file;
  const auto pickle = read_pickle(text, "f.pt");
  if (!pickle) return fuzz::check_refusal(pickle.error());
  CHECK_INVARIANT(pickle->size <= text.size());
  Checkpoint checkpoint;
  find_tensors(*pickle, "f.pt", checkpoint);
  fuzz::check(checkpoint.problems);
  for (const SavedTensor& tensor : checkpoint.tensors) {
    CHECK_INVARIANT(tensor.type != nullptr);
    CHECK_INVARIANT(tensor.bytes().count() >= 0);
    CHECK_INVARIANT(tensor.reserved.count() >= 0);
  }
}
