#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "calibrate/runtime/runtime.h"

namespace calibrate::runtime {

template <std::size_t N>
void copy_text(char (&to)[N], std::string_view text) {
  const std::size_t size = std::min(text.size(), N - 1);
  std::copy_n(text.data(), size, to);
  to[size] = '\0';
}

/// Answers `software` of an interface from a list of names and versions; 1 beyond its end.
inline std::int32_t tell_software(std::span<const std::pair<std::string, std::string>> list,
                                  std::int32_t index, foreshard_software* software) {
  if (index < 0 || static_cast<std::size_t>(index) >= list.size()) return 1;
  const auto& [name, version] = list[static_cast<std::size_t>(index)];
  copy_text(software->name, name);
  copy_text(software->version, version);
  return 0;
}

}  // namespace calibrate::runtime
