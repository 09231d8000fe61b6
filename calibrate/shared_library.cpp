#include "calibrate/shared_library.hpp"

#include <dlfcn.h>

#include <cstdlib>

namespace calibrate {

std::string library_variable(std::string_view prefix, std::string_view name) {
  std::string variable(prefix);
  for (const char c : name) {
    const bool small = c >= 'a' && c <= 'z';
    if (!small && !(c >= '0' && c <= '9') && c != '_') return {};
    variable += small ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name.empty() ? std::string() : variable + "_LIB";
}

std::string library_in(const std::string& variable) {
  const char* library = variable.empty() ? nullptr : std::getenv(variable.c_str());
  return library == nullptr ? std::string() : library;
}

// SimGrid, which the program links, has an MPI of its own: a runtime has to find the one that it was
// linked to first. Sanitizers have to come before everything, and refuse that.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int own_symbols_first = 0;
#else
constexpr int own_symbols_first = RTLD_DEEPBIND;
#endif

tl::expected<void*, std::string> open_library(const std::string& path) {
  if (void* opened = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL | own_symbols_first))
    return opened;
  const char* why = ::dlerror();
  return tl::unexpected(std::string(why == nullptr ? "no reason given" : why));
}

void* function_in(void* library, const std::string& name) { return ::dlsym(library, name.c_str()); }

}  // namespace calibrate
