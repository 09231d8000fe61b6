#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "calibrate/backend.hpp"

/// The table of backends. A new one is a file here and a row.
namespace calibrate::backends {

using Made = base::Result<std::unique_ptr<CollectiveBackend>>;

Made make_nccl(const BackendOptions& options);
Made make_ncclx(const BackendOptions& options);
Made make_rccl(const BackendOptions& options);
Made make_xccl(const BackendOptions& options);
Made make_gloo(const BackendOptions& options);
Made make_mpi(const BackendOptions& options);
Made make_measured(const BackendOptions& options);
Made make_analytic(const BackendOptions& options);
Made make_zero(const BackendOptions& options);

struct Builtin {
  std::string_view name;
  Made (*make)(const BackendOptions& options);
  bool tuned = false;  ///< has a use for version, algorithms, protocols and graph
  bool table = false;  ///< has a use for a table, and needs one
};

inline constexpr std::array builtins{
    Builtin{"nccl", make_nccl, true},
    Builtin{"ncclx", make_ncclx, true},
    Builtin{"rccl", make_rccl, true},
    Builtin{"xccl", make_xccl},
    Builtin{"gloo", make_gloo},
    Builtin{"mpi", make_mpi},
    Builtin{"measured", make_measured, false, true},
    Builtin{"analytic", make_analytic},
    Builtin{"zero", make_zero},
};

}  // namespace calibrate::backends
