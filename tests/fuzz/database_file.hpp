#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/check.hpp"

namespace fuzz {

/// Calls `look` with the path of a file of these bytes. Files that SQLite puts beside it go with
/// it; damage that only reading finds (base::EnvironmentError) is no finding.
template <class Look>
void with_database_file(std::string_view bytes, const Look& look) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() /
                                     ("foreshard-fuzz-" + std::to_string(getpid()) + ".db");
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  try {
    look(path.string());
  } catch (const base::EnvironmentError&) {
  }
  for (const char* beside : {"", "-wal", "-shm", "-journal"})
    std::filesystem::remove(path.string() + beside);
}

}  // namespace fuzz
