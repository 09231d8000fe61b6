// How runtimes are found, and what becomes of those that are not as they should be.

#include "calibrate/runtime/loader.hpp"

#include <filesystem>
#include <string>

#include "tests/calibrate/backend_support.hpp"

namespace calibrate::runtime {
namespace {

namespace fs = std::filesystem;

template <class Loaded>
std::string refusal_in(const Loaded& loaded) {
  return loaded ? "no mistake" : text_of(loaded.error());
}

TEST_CASE("runtimes are found by a variable of their name, else beside the program") {
  CHECK(library_variable("cuda_12") == "FORESHARD_RUNTIME_CUDA_12_LIB");
  for (const char* name : {"", "Cuda", "cu da", "../cuda"}) {
    CHECK(library_variable(name).empty());
    CHECK(library_path(name).empty());
  }
  CHECK(library_path("gone") ==
        (fs::read_symlink("/proc/self/exe").parent_path() / "foreshard_gone.so").string());
  const Environment variable("FORESHARD_RUNTIME_GONE_LIB", "/no/such/library.so");
  CHECK(library_path("gone") == "/no/such/library.so");
}

TEST_CASE("a runtime that is not there is told with the place where it was looked for") {
  const Environment variable("FORESHARD_RUNTIME_GONE_LIB", "/no/such/library.so");
  const std::string told =
      "foreshard: error: runtime 'gone' is not there: no file /no/such/library.so "
      "(FORESHARD_RUNTIME_GONE_LIB names its library, else it lies beside the program)\n";
  CHECK(refusal_in(load_compute("gone")) == told);
  CHECK(refusal_in(load_network("gone")) == told);
  CHECK(refusal_in(load_compute("Gone")) ==
        "foreshard: error: no runtime can be called 'Gone' (names are small letters, digits and "
        "'_')\n");
}

TEST_CASE("a file that is no library is told with the loader's words") {
  const Environment variable("FORESHARD_RUNTIME_TEXT_LIB", FORESHARD_SOURCE_DIR "/README.md");
  CHECK(refusal_in(load_compute("text")).find("runtime 'text' cannot be loaded: ") !=
        std::string::npos);
}

TEST_CASE("a runtime that is not as it should be is refused with the reason") {
  const auto [name, part, reason] = GENERATE(table<std::string, std::string, std::string>({
      {"older", "compute", "is of interface version 0.9, not 1.0"},
      {"older", "network", "is of interface version 0.9, not 1.0"},
      {"versionless", "compute", "is of interface version none, not 1.0"},
      {"no_version", "compute", "is of interface version none, not 1.0"},
      {"no_open", "compute", "lacks open of its compute"},
      {"no_close", "compute", "lacks close of its compute"},
      {"no_join", "network", "lacks join of its network"},
      {"tableless", "compute", "made no compute"},
      {"no_join", "compute", "has no function foreshard_compute_no_join"},
      {"no_open", "network", "has no function foreshard_network_no_open"},
  }));
  std::string variable = library_variable(name);
  const Environment library(variable, FORESHARD_BROKEN_RUNTIME);
  std::string told =
      part == "compute" ? refusal_in(load_compute(name)) : refusal_in(load_network(name));
  CHECK(told == "foreshard: error: runtime '" + name + "' in " FORESHARD_BROKEN_RUNTIME " " +
                    reason + " (" + variable +
                    " names its library, else it lies beside the program)\n");
}

}  // namespace
}  // namespace calibrate::runtime
