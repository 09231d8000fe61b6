#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace base {

void invariant_failed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: bug: %s does not hold; please report it\n", file, line, condition);
  std::abort();
}

}  // namespace base
