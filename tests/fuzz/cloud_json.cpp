#include "tests/fuzz/dump_check.hpp"

void fuzz_one(std::string_view text) {
  for (const char* format :
       {"aws-topology", "gcp-instances", "oci-hosts", "lambda-instances", "nscale-topology"})
    fuzz::check_dump(format, text);
}
