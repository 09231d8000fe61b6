#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/catch.hpp"

/// Compares `actual` with the file tests/golden/NAME. With UPDATE_GOLDEN=1 in the environment the
/// file is rewritten instead, and the change is seen in review.
inline void check_golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(FORESHARD_SOURCE_DIR) + "/tests/golden/" + name;
  const char* update = std::getenv("UPDATE_GOLDEN");
  if (update != nullptr && std::string(update) == "1") {
    std::ofstream out(path, std::ios::binary);
    out << actual;
    REQUIRE(out.flush());
    return;
  }
  std::ifstream in(path, std::ios::binary);
  INFO(path << " differs; UPDATE_GOLDEN=1 rewrites it");
  REQUIRE(in);
  const std::string expected{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  CHECK(actual == expected);
}
