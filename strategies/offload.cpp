#include "strategies/offload.hpp"

namespace strategies {

void read_offload(base::MapReader& reader, int zero, Offload& offload) {
  if (reader.read("optimizer", offload.optimizer) && offload.optimizer && zero == 3)
    reader.error("optimizer", "offload.optimizer is for zero up to 2",
                 "set fsdp: {offload: true}, which takes parameters along");
  const std::string_view key = "activations";
  if (const base::Node* node = reader.find(key)) {
    bool all = false;
    if (node->text == "true" || node->text == "false") {
      if (reader.read(key, all)) offload.activations = all ? 1 : 0;
    } else {
      reader.read(key, offload.activations, base::Range<double>{0, 1});
    }
  }
  reader.finish();
}

}  // namespace strategies
