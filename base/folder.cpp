#include "base/folder.hpp"

#include <algorithm>
#include <filesystem>

namespace base {

tl::expected<std::vector<std::string>, std::error_code> yaml_files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().string());
  if (failure) return tl::unexpected(failure);
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace base
