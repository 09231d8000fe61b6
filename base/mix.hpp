#pragma once

#include <cstdint>

namespace base {

/// splitmix64 (Steele, Lea, Flood 2014): every bit of the input moves every bit of the output. For
/// hashes that must be the same on every machine.
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace base
