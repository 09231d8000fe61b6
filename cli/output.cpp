#include "cli/output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <tuple>

#include "base/check.hpp"
#include "viz/terminal.hpp"

namespace cli {

namespace {

bool set_in_environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

void write_all(std::FILE* file, std::string_view text, const std::string& name) {
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (!written || std::fflush(file) != 0)
    throw base::EnvironmentError(
        fmt::format("{}: cannot be written: {}", name, std::strerror(errno)));
}

/// File by file as they come, those of a file from its top down.
base::Diagnostics in_order(base::Diagnostics diagnostics) {
  std::map<std::string, std::size_t> files;  // by when they came first
  for (const base::Diagnostic& one : diagnostics) files.try_emplace(one.where.file, files.size());
  const auto place = [&](const base::Diagnostic& one) {
    return std::tuple(files.at(one.where.file), one.where.line, one.where.column);
  };
  std::stable_sort(diagnostics.begin(), diagnostics.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return diagnostics;
}

}  // namespace

bool is_terminal(std::FILE* stream) { return isatty(fileno(stream)) == 1; }

bool wants_colour(std::FILE* stream) {
  const char* term = std::getenv("TERM");
  const bool dumb = term != nullptr && std::string_view(term) == "dumb";
  return is_terminal(stream) && !set_in_environment("NO_COLOR") && !dumb;
}

void print(const base::Diagnostics& diagnostics) {
  const bool colour = wants_colour(stderr);
  for (const base::Diagnostic& diagnostic : in_order(diagnostics)) {
    viz::Paint paint = viz::Paint::bad;
    if (diagnostic.severity == base::Severity::warning) paint = viz::Paint::warn;
    if (diagnostic.severity == base::Severity::note) paint = viz::Paint::faint;
    fmt::print(stderr, "{}\n", viz::painted(viz::printable(diagnostic.format()), paint, colour));
  }
}

void write_output(const std::string& path, std::string_view text) {
  if (path == "-") {
    write_all(stdout, text, "standard output");
    return;
  }
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr)
    throw base::EnvironmentError(
        fmt::format("{}: cannot be written: {}", path, std::strerror(errno)));
  try {
    write_all(file, text, path);
  } catch (...) {
    std::fclose(file);
    throw;
  }
  if (std::fclose(file) != 0)
    throw base::EnvironmentError(
        fmt::format("{}: cannot be written: {}", path, std::strerror(errno)));
}

std::string check_file_path(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (path == "-") return "only a file can be written here, not stdout";
  if (path.empty()) return "a file name is missing";
  if (fs::is_directory(path, error)) return fmt::format("{} is a folder", path);
  const fs::path folder = fs::path(path).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, error))
    return fmt::format("there is no folder {}", folder.string());
  return {};
}

std::string check_output_path(const std::string& path) {
  return path == "-" ? std::string() : check_file_path(path);
}

}  // namespace cli
