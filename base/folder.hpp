#pragma once

#include <string>
#include <system_error>
#include <tl/expected.hpp>
#include <vector>

namespace base {

/// Paths of the YAML files of a folder by name, so that the order of the disk does not matter; or
/// why they cannot be listed.
tl::expected<std::vector<std::string>, std::error_code> yaml_files(const std::string& folder);

}  // namespace base
