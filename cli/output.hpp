#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "base/diagnostic.hpp"

/// Where the program's words go: results to stdout or a file, everything else to stderr.
namespace cli {

/// Every diagnostic on its own line on stderr, those of a file from its top down, coloured on a
/// terminal.
void print(const base::Diagnostics& diagnostics);

/// Whether `stream` is a terminal that wants colours: the NO_COLOR convention is respected.
bool wants_colour(std::FILE* stream);
bool is_terminal(std::FILE* stream);

/// Writes to the file, or to stdout when `path` is "-". Throws base::EnvironmentError naming it.
void write_output(const std::string& path, std::string_view text);

/// A CLI11 validator: empty when a file can be made at `path`, else what is in the way. So a typing
/// mistake is told before the simulation and not after it.
std::string check_file_path(const std::string& path);
/// The same where "-" is allowed too.
std::string check_output_path(const std::string& path);

}  // namespace cli
