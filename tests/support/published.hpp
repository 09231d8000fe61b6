#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/catch.hpp"

/// A table of published measurements; empty, and said, where it is absent. They lie beside a
/// developer's checkout and are not shipped: FORESHARD_VALIDATION names their folder,
/// ../shared/validation is where they usually are.
inline std::string published(const std::string& name) {
  const char* chosen = std::getenv("FORESHARD_VALIDATION");
  const std::string folder =
      chosen != nullptr ? chosen : std::string(FORESHARD_SOURCE_DIR) + "/../shared/validation";
  std::ifstream file(folder + "/" + name, std::ios::binary);
  if (!file) WARN("skipped: no " << folder << "/" << name);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
