#pragma once

#include <span>

#include "calibrate/import/import.hpp"
#include "topology/hardware.hpp"

/// The formats that can be imported: to add one, its file and its row in formats.cpp.
namespace calibrate {

struct ImportFormat {
  std::string_view name;  ///< of --format
  std::string_view what;
  bool (*recognises)(std::string_view text);
  ImportResult (*read)(std::string_view text, const std::string& file,
                       const ImportOptions& options);
};

/// In the order in which a text is tried.
std::span<const ImportFormat> import_formats();

/// Reads a text in a format by its name; "auto" takes the first that recognises it. Devices get the
/// names of the registry where it knows them.
ImportResult import_records(std::string_view text, const std::string& file, std::string_view format,
                            const ImportOptions& options,
                            const topology::HardwareRegistry& registry);

}  // namespace calibrate
