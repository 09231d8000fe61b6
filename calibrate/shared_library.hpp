#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

/// Libraries that are loaded at run time: plug-ins and runtimes. None is ever closed, since what it
/// handed out may outlive whoever asked for it.
namespace calibrate {

/// The environment variable that names the library of a plug-in: `prefix`, the name in capitals,
/// "_LIB". Empty when no plug-in can have that name: names are small letters, digits and '_'.
std::string library_variable(std::string_view prefix, std::string_view name);

/// What that variable holds; empty when it is not set.
std::string library_in(const std::string& variable);

/// Opens a library with RTLD_LAZY | RTLD_LOCAL, its own symbols before those of the program, or says
/// why it cannot be.
tl::expected<void*, std::string> open_library(const std::string& path);

/// A function of an open library; NULL when it has none of that name.
void* function_in(void* library, const std::string& name);

}  // namespace calibrate
