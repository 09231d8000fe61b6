#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "calibrate/profile.hpp"

namespace calibrate {

/// A communication library as a price list: what NCCL, MPI or a table of measurements says that a
/// collective takes when it has the machine to itself.
class CollectiveBackend {
 public:
  virtual ~CollectiveBackend() = default;
  virtual std::string_view name() const = 0;  ///< as in a scenario: "nccl"
  /// For people, with version and basis: "NCCL 2.28 tuning model".
  virtual std::string description() const = 0;
  /// Whether its prices rest on measurements of such a library; the report says so where not.
  virtual bool calibrated() const = 0;
  virtual bool supports(Collective op) const = 0;
  /// `bytes` as nccl-tests counts them, see base::Collective. A group of one costs nothing, and
  /// more bytes never cost less. `total.source` is an index into sources(). \pre supports(op)
  virtual CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const = 0;
  /// Whether the algorithms and protocols that the user asked for leave anything for this operation
  /// and group; where not, the library would stop, and `cost` is that of its own choice.
  virtual bool obeys(Collective /*op*/, const GroupShape& /*shape*/) const { return true; }
  /// Whether the user left the choice of algorithms and protocols to the library, as measurements
  /// usually do.
  virtual bool chooses_freely() const { return true; }
  /// What prices rest on, for people; more than one where a backend falls back on others.
  virtual std::vector<std::string> sources() const { return {description()}; }
};

/// Which backend a user wants, in his own words; mistakes are told where each word stands.
struct BackendOptions {
  struct Word {
    std::string text;  ///< empty: not given
    base::SourceRef where;
  };
  Word name{"nccl", {}};
  Word version;            ///< of the library
  Word algorithms;         ///< as NCCL_ALGO
  Word protocols;          ///< as NCCL_PROTO
  Word table;              ///< name of a CSV file of measurements
  std::string table_text;  ///< what is in it
  Word graph;              ///< name of an XML file that NCCL dumped its graphs to
  std::string graph_text;  ///< what is in it
  /// Where fits to measurements lie ("scenarios/hardware"); empty: the libraries' own models.
  std::string hardware_folder;
};

/// A backend by name: built in, or else from the shared library that the environment variable
/// FORESHARD_BACKEND_<NAME>_LIB names. A word that the backend has no use for is a mistake.
base::Result<std::shared_ptr<const CollectiveBackend>> make_backend(const BackendOptions& options);

}  // namespace calibrate
