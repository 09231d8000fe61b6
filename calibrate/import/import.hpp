#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/collective.hpp"
#include "base/diagnostic.hpp"
#include "calibrate/records.hpp"

/// What all importers share: each is a pure function from the text of a file to records.
namespace calibrate {

/// What a file cannot say, or what is known better. An option goes before what the file says.
struct ImportOptions {
  std::string device;                  ///< --device
  std::string library;                 ///< --library
  std::string library_version;         ///< --library-version
  std::string dtype;                   ///< --dtype, of nccl-tests
  std::optional<base::Collective> op;  ///< --operation
  int ranks = 0;                       ///< --ranks, 0: as the file says
  int nodes = 0;                       ///< --nodes, 0: as the file says
};

/// All that a file has, and what was not read of it.
struct Imported {
  std::vector<RunRecords> runs;
  base::Diagnostics notes;  ///< notes and warnings; never errors
};

/// A damaged file gives every mistake in it and no record.
using ImportResult = base::Result<Imported>;

/// 32 hexadecimal digits from the contents, the options and the place of the run in the file: the
/// same import always has the same.
std::string import_id(std::string_view text, const ImportOptions& options, std::size_t index);

/// The name of nccl-tests for a type by any name that is in use ("Float", "torch.bfloat16", "f32",
/// "fp8_e4m3"); empty when there is none.
std::string_view element_type_of(std::string_view name);

/// An operation by any name that is in use ("AllReduce", "all_gather_into_tensor", "alltoall");
/// nothing when it is none that can be kept.
std::optional<base::Collective> collective_of(std::string_view name);

/// Bytes in nccl-tests' convention for the argument of a call.
base::Bytes bytes_of_call(base::Collective op, int ranks, std::int64_t count, int element_bytes);

/// Whether a size is that of so many elements; tools that choose sizes freely leave a part of an
/// element over.
bool is_size_of(base::Bytes bytes, base::Collective op, int ranks, std::int64_t count,
                int element_bytes);

/// Puts the options into a record, and tells at `where` what neither they nor the file say.
base::Diagnostics complete(CollectiveRecord& record, const ImportOptions& options,
                           const base::SourceRef& where);

/// The same for all records; what is missing is told once, at the first.
base::Diagnostics complete_all(std::vector<CollectiveRecord>& records, const ImportOptions& options,
                               const std::string& file);

/// A note of severity note about the whole file.
base::Diagnostic import_note(const std::string& file, std::string message, std::string hint = {});

/// Numbers as all of a text; nothing when it is no number.
std::optional<double> to_number(std::string_view text);
std::optional<std::int64_t> to_whole(std::string_view text);

}  // namespace calibrate
