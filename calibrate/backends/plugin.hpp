#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "calibrate/backend.hpp"

/// Backends from shared libraries; plugin.h is what their authors see.
namespace calibrate::backends {

/// The environment variable that names the library of a backend: "fast" has
/// FORESHARD_BACKEND_FAST_LIB. Empty when no plug-in can have that name.
std::string plugin_variable(std::string_view name);

/// What that variable holds; empty when it is not set.
std::string plugin_library(std::string_view name);

/// Opens a library and makes its backend; mistakes are told at `where`. A price that makes no sense
/// throws base::EnvironmentError when it is asked for.
base::Result<std::unique_ptr<CollectiveBackend>> load_plugin(const std::string& name,
                                                             const std::string& library,
                                                             const base::SourceRef& where);

}  // namespace calibrate::backends
