#include "cli/fidelity_option.hpp"

#include "sim/report.hpp"

namespace cli {

void add_fidelity(CLI::App& command, std::string& name) {
  command.add_option("--fidelity", name, "how the step is played")
      ->type_name("analytic|hybrid|flow")
      ->check(CLI::IsMember({"analytic", "hybrid", "flow"}).description(""));
}

std::optional<sim::Fidelity> fidelity_of(std::string_view name) {
  using sim::Fidelity;
  for (const Fidelity choice : {Fidelity::analytic, Fidelity::hybrid, Fidelity::flow})
    if (sim::name_of(choice) == name) return choice;
  return std::nullopt;
}

}  // namespace cli
