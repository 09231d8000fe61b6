#include "sim/compare/plan_set.hpp"

#include <set>
#include <string>

#include "sim/compare/candidates.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/workplace.hpp"

namespace {

constexpr std::string_view scenario_text = R"(
model: {layers: 4, hidden: 256, ffn: 1024, heads: 4, vocab: 512}
cluster: {nodes: {type: dgx-h100, count: 2}, fabric: {kind: single_switch}}
plan: {tensor_parallel: 2, global_batch: 32, sequence: 128, overlap: {tensor: false}}
price: {gpu_hour: 2.5, currency: USD}
communication: {backend: gloo}
)";

/// What plans are laid over.
const sim::Scenario& scenario(const fuzz::Workplace& workplace) {
  static const sim::Scenario loaded = [&] {
    fuzz::Workplace::write(workplace.scenario(), scenario_text);
    return workplace.load().value();
  }();
  return loaded;
}

}  // namespace

/// Whatever a file of plans says, it is refused, or each of its plans and combinations is a plan
/// that the scenario can have, or is told why it is none.
void fuzz_one(std::string_view text) {
  const auto set = sim::compare::read_plan_set(text, "plans.yaml");
  if (!set) return fuzz::check_refusal(set.error());
  const std::size_t count = set->plans.size() + set->combinations();
  CHECK_INVARIANT(count >= 1 && count <= sim::compare::entries_max);
  if (count > 200) return;  // as many plans take their time
  static const fuzz::Workplace workplace;
  static const auto reader =
      sim::compare::PlanReader::make(workplace.options(), scenario(workplace)).value();
  const auto all = sim::compare::read_candidates(*set, reader, scenario(workplace).price);
  if (!all) return fuzz::check_refusal(all.error());
  CHECK_INVARIANT(all->plans.size() + all->refused.size() == count);
  std::set<std::string> names;
  for (const sim::compare::Candidate& one : all->plans) {
    CHECK_INVARIANT(names.insert(one.name).second);
    CHECK_INVARIANT(one.plan.ranks() >= 1 && one.plan.ranks() <= 16 && one.gpu_hour);
  }
  for (const sim::compare::Refused& one : all->refused) {
    CHECK_INVARIANT(names.insert(one.name).second);
    fuzz::check_refusal(one.reasons);
  }
}
