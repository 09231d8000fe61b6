#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "strategies/checkpoint_file/checkpoint_file.hpp"

namespace strategies::checkpoint_file {

/// The longest header that safetensors accepts, bytes.
inline constexpr std::uint64_t safetensors_header_max = 100'000'000;

/// Reads the JSON header of a safetensors file: `data` bytes follow it in the file. Adds tensors
/// to the checkpoint, and every mistake to its problems: unknown types, extents below 0, offsets
/// that do not fit the shape, lie outside, overlap, or leave bytes to nobody, which the format
/// forbids. Columns are bytes of the header.
void read_safetensors_header(std::string_view header, std::uint64_t data, const std::string& file,
                             Checkpoint& checkpoint);

}  // namespace strategies::checkpoint_file
