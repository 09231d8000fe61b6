#include "tests/fuzz/dump_check.hpp"

void fuzz_one(std::string_view text) { fuzz::check_dump("iblinkinfo", text); }
