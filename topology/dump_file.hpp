#pragma once

#include <string>

namespace topology {

/// One file as it was read.
struct DumpFile {
  std::string name;  ///< for messages
  std::string text;
};

}  // namespace topology
