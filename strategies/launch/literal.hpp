#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/quoted.hpp"

namespace strategies::launch {

/// A value as JSON and TOML both write it.
inline std::string literal(bool value) { return value ? "true" : "false"; }
inline std::string literal(int value) { return fmt::format("{}", value); }
inline std::string literal(std::int64_t value) { return fmt::format("{}", value); }
inline std::string literal(double value) { return fmt::format("{:.1f}", value); }
inline std::string literal(std::string_view value) { return base::quoted(value); }
inline std::string literal(const char* value) { return base::quoted(value); }

}  // namespace strategies::launch
