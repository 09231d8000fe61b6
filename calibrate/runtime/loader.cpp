#include "calibrate/runtime/loader.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "calibrate/shared_library.hpp"

namespace calibrate::runtime {

namespace {

namespace fs = std::filesystem;

tl::unexpected<base::Diagnostics> refusal(const std::string& name, const std::string& why) {
  return tl::unexpected(
      base::Diagnostics{{{},
                         fmt::format("runtime '{}' {}", name, why),
                         fmt::format("{} names its library, else it lies beside the program",
                                     library_variable(name))}});
}

/// The functions of a table, in its order.
constexpr std::array compute_functions{
    "version",      "devices",       "open",          "close",          "error",
    "info",         "software",      "sensors",       "allocate",       "release",
    "to_device",    "to_host",       "create_stream", "destroy_stream", "synchronise",
    "create_event", "destroy_event", "record",        "wait",           "elapsed",
    "prepare",      "variant",       "library",       "launch",         "discard"};
constexpr std::array network_functions{"version",  "join",    "leave",        "abort",
                                       "error",    "rank",    "ranks",        "host_memory",
                                       "software", "share",   "communicator", "free_communicator",
                                       "launch",   "estimate"};

/// The first function that a table lacks; NULL when it has all.
template <class Table, std::size_t N>
const char* missing_in(const Table& table, const std::array<const char*, N>& names) {
  std::array<void (*)(), N> functions{};
  static_assert(sizeof functions == sizeof table, "a table has functions and nothing else");
  std::memcpy(functions.data(), &table, sizeof table);
  for (std::size_t i = 0; i < N; ++i)
    if (functions.at(i) == nullptr) return names.at(i);
  return nullptr;
}

/// `part` is "compute" or "network".
template <class Table, std::size_t N>
base::Result<const Table*> load(const std::string& name, std::string_view part,
                                const std::array<const char*, N>& functions) {
  const std::string path = library_path(name);
  if (path.empty())
    return tl::unexpected(base::Diagnostics{{{},
                                             fmt::format("no runtime can be called '{}'", name),
                                             "names are small letters, digits and '_'"}});
  std::error_code failed;
  if (!fs::exists(path, failed))
    return refusal(name, fmt::format("is not there: no file {}", path));
  const auto library = open_library(path);
  if (!library) return refusal(name, "cannot be loaded: " + library.error());
  const std::string symbol = fmt::format("foreshard_{}_{}", part, name);
  void* found = function_in(*library, symbol);
  if (found == nullptr) {
    const bool prices = function_in(*library, "foreshard_backend_" + name) != nullptr;
    return refusal(name, fmt::format("in {} has no function {}{}", path, symbol,
                                     prices ? ": it prices collectives, but executes none" : ""));
  }
  const Table* table = reinterpret_cast<const Table* (*)()>(found)();
  if (table == nullptr) return refusal(name, fmt::format("in {} made no {}", path, part));
  // An older or newer table may be shorter: nothing of it is looked at before its version.
  const char* version = table->version == nullptr ? nullptr : table->version();
  if (version == nullptr || std::string_view(version) != FORESHARD_RUNTIME_ABI)
    return refusal(name, fmt::format("in {} is of interface version {}, not {}", path,
                                     version == nullptr ? "none" : version, FORESHARD_RUNTIME_ABI));
  if (const char* missing = missing_in(*table, functions))
    return refusal(name, fmt::format("in {} lacks {} of its {}", path, missing, part));
  return table;
}

}  // namespace

std::string library_variable(std::string_view name) {
  return calibrate::library_variable("FORESHARD_RUNTIME_", name);
}

std::string library_path(std::string_view name) {
  const std::string variable = library_variable(name);
  if (variable.empty()) return {};
  for (const std::string& place :
       {variable, calibrate::library_variable("FORESHARD_BACKEND_", name)})
    if (std::string named = library_in(place); !named.empty()) return named;
  std::error_code failed;
  const fs::path program = fs::read_symlink("/proc/self/exe", failed);
  return program.parent_path() / fmt::format("foreshard_{}.so", name);
}

base::Result<const foreshard_compute*> load_compute(const std::string& name) {
  return load<foreshard_compute>(name, "compute", compute_functions);
}

base::Result<const foreshard_network*> load_network(const std::string& name) {
  return load<foreshard_network>(name, "network", network_functions);
}

}  // namespace calibrate::runtime
