#include "topology/hostlist.hpp"

#include "tests/fuzz/fuzz.hpp"

void fuzz_one(std::string_view text) {
  const auto names = topology::expand_hostlist(text);
  if (!names) return fuzz::check_refusal(names.error());
  CHECK_INVARIANT(!names->empty() && names->size() <= topology::hostlist_names_max);
  for (const std::string& name : *names)
    if (!topology::fits_hostlist(name)) return;
  const auto again = topology::expand_hostlist(topology::compress_hostlist(*names));
  CHECK_INVARIANT(again && *again == *names);
}
