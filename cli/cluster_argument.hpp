#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/kubectl.hpp"
#include "sim/scenario.hpp"
#include "topology/cluster.hpp"
#include "topology/found_cluster.hpp"
#include "topology/import/format.hpp"

namespace cli {

/// "FILE..." that tell of one cluster, with the options of an import: dumps in any known format, or
/// a scenario. Several subcommands take it.
class ClusterArgument {
 public:
  struct Loaded {
    topology::FoundCluster found;
    std::optional<topology::Cluster> cluster;  ///< what can be built of it
    base::Diagnostics why_not;                 ///< why nothing can
    std::optional<sim::Scenario> scenario;     ///< where it was one, of one job
  };

  std::vector<std::string> files;

  /// Adds FILE..., `--live` (Kubernetes, by kubectl, before any file), and the options.
  void add_to(CLI::App& command);
  /// Only the options, for commands that name their files differently.
  void add_options_to(CLI::App& command);
  /// What the files tell; otherwise prints every mistake and leaves with `mistake`. Prints notes.
  topology::FoundCluster import() const;
  /// The same for files of a command's own.
  topology::FoundCluster import(const std::vector<std::string>& paths) const;
  /// What the files tell and what can be built of it, nodes that take nothing new among it. Prints
  /// notes.
  Loaded load() const;

 private:
  topology::ImportOptions options() const;
  std::vector<topology::DumpFile> dumps(const std::vector<std::string>& paths) const;
  Loaded load_scenario() const;

  std::string format_;
  topology::ImportOptions options_;
  bool live_ = false;
  LiveOptions live_options_;
};

}  // namespace cli
