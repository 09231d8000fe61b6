// Where cuDNN is not there at build time: attention is unknown, and says so.

#include "calibrate/runtime/cuda/work.hpp"
#include "calibrate/runtime/failure.hpp"

namespace calibrate::runtime::cuda {

std::unique_ptr<Work> prepare_attention(const Device&, const foreshard_kernel&, bool) {
  throw Failure("no attention: this runtime was built without cuDNN");
}

std::string attention_version() { return {}; }

}  // namespace calibrate::runtime::cuda
