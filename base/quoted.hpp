#pragma once

#include <string>
#include <string_view>

namespace base {

/// The text as a string of JSON, which is one of YAML too.
std::string quoted(std::string_view text);

}  // namespace base
