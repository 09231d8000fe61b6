#include "tests/fuzz/fuzz.hpp"
#include "topology/hardware.hpp"

void fuzz_one(std::string_view text) {
  if (const auto gpu = topology::read_gpu(text, "f.yaml"); !gpu) fuzz::check_refusal(gpu.error());
  if (const auto node = topology::read_node(text, "f.yaml"); !node)
    fuzz::check_refusal(node.error());
}
