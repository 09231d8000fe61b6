#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

namespace base {

/// The first name of a value in a table of names, as readers of choices have them; "?" where it has
/// none.
template <class E, std::size_t N>
constexpr std::string_view name_in(const std::array<std::pair<std::string_view, E>, N>& names,
                                   E value) {
  for (const auto& [name, named] : names)
    if (named == value) return name;
  return "?";
}

}  // namespace base
