#include "cli/page_option.hpp"

#include "cli/output.hpp"
#include "topology/found_of.hpp"
#include "viz/page.hpp"
#include "viz/topology_json.hpp"

namespace cli {

void PageOption::add_to(CLI::App& command) {
  command.add_option("--html", path_, "write a page to look at, which opens in any browser")
      ->type_name("FILE")
      ->check(CLI::Validator(check_file_path, ""));
}

void PageOption::write(const std::vector<std::string>& documents) const {
  write_output(path_, viz::page(documents));
}

std::string topology_document(const sim::Scenario& scenario, const std::string& path,
                              const std::vector<double>& link_utilisation,
                              const sim::LinkCourses* courses) {
  return viz::topology_json(
      scenario.found != nullptr ? *scenario.found : topology::found_of(scenario.cluster, path),
      &scenario.cluster, link_utilisation, courses);
}

}  // namespace cli
