#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/diagnostic.hpp"

namespace calibrate {

/// Most bytes that a packed file may unpack to, as many as a file that is read may have.
inline constexpr std::size_t unpacked_max = std::size_t{2} << 30;

/// Whether it begins as gzip (RFC 1952) has it.
bool is_gzip(std::string_view bytes);

/// All members of a gzip file, one behind the other. Damaged or cut data, something else behind the
/// last member, and more than `most` bytes are mistakes; no more than that is ever held in memory.
base::Result<std::string> unpack_gzip(std::string_view bytes, const std::string& file,
                                      std::size_t most = unpacked_max);

}  // namespace calibrate
