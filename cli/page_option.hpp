#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "sim/link_courses.hpp"
#include "sim/scenario.hpp"

namespace cli {

/// `--html FILE`, shared by subcommands: their JSON answer as a page to look at.
class PageOption {
 public:
  void add_to(CLI::App& command);
  bool wanted() const { return !path_.empty(); }
  void write(const std::vector<std::string>& documents) const;

 private:
  std::string path_;
};

/// The cluster of a scenario ("foreshard.topology.v1") with the use of its links, which may be
/// empty.
std::string topology_document(const sim::Scenario& scenario, const std::string& path,
                              const std::vector<double>& link_utilisation,
                              const sim::LinkCourses* courses = nullptr);

}  // namespace cli
