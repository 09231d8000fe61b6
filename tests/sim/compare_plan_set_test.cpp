// Files of plans: what they say, what it makes of a scenario, and every mistake at its place.

#include <fstream>
#include <string>
#include <tuple>

#include "sim/compare/candidates.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

namespace sim::compare {
namespace {

const std::string scenario_text =
    "model: {config: " FORESHARD_SOURCE_DIR
    "/scenarios/models/llama-3.1-8b/config.json}\n"
    "cluster:\n"
    "  nodes: {type: dgx-h100, count: 2}\n"
    "  fabric: {kind: single_switch}\n"
    "plan: {tensor_parallel: 2, global_batch: 64, sequence: 1024, overlap: {tensor: false}}\n";

std::string told(const base::Diagnostics& diagnostics) {
  std::string text;
  for (const base::Diagnostic& one : diagnostics)
    if (one.severity == base::Severity::error) text += one.format() + "\n";
  return text;
}

PlanSet set_of(const std::string& text) {
  auto set = read_plan_set(text, "p.yaml");
  INFO((set ? std::string() : told(set.error())));
  REQUIRE(set);
  return std::move(*set);
}

base::Result<Candidates> candidates(const std::string& text, const std::string& more = "") {
  const Folder folder;
  std::ofstream(folder / "s.yaml") << scenario_text << more;
  const ScenarioOptions options{folder / "s.yaml", {}, FORESHARD_SOURCE_DIR "/scenarios/hardware"};
  const auto scenario = load_scenario(options);
  REQUIRE(scenario);
  const auto reader = PlanReader::make(options, *scenario);
  REQUIRE(reader);
  return read_candidates(set_of(text), *reader, scenario->price);
}

Candidates good(const std::string& text, const std::string& more = "") {
  auto all = candidates(text, more);
  INFO((all ? std::string() : told(all.error())));
  REQUIRE(all);
  return std::move(*all);
}

TEST_CASE("later axes vary fastest") {
  const PlanSet set = set_of(
      "axes:\n  tensor_parallel: [1, 2]\n  overlap.gradient_reduce: [true, false]\n"
      "  schedule: [gpipe]\n");
  REQUIRE(set.combinations() == 4);
  std::string names;
  for (std::size_t i = 0; i < 4; ++i) names += set.combination(i).name + "\n";
  CHECK(names ==
        "tp 1, overlap.gradient_reduce true, gpipe\n"
        "tp 1, overlap.gradient_reduce false, gpipe\n"
        "tp 2, overlap.gradient_reduce true, gpipe\n"
        "tp 2, overlap.gradient_reduce false, gpipe\n");
  CHECK(set.value_of(2, 0) == 1);
  CHECK(set.value_of(2, 1) == 0);
  CHECK(set.axes[1].path == "overlap.gradient_reduce");
  CHECK(set.axes[1].words == std::vector<std::string>{"true", "false"});
}

TEST_CASE("keys of a plan are laid over those of the scenario, in maps too") {
  const Candidates all = good(
      "plans:\n"
      "- {}\n"
      "- {tensor_parallel: 4, overlap: {gradient_reduce: false}}\n"
      "- {name: own, tensor_parallel: null, overlap: {tensor: null}}\n"
      "- {preset: torchtitan, zero: 3}\n");
  REQUIRE(all.plans.size() == 4);
  CHECK(all.plans[0].name == "as in the scenario");
  CHECK(all.plans[0].plan.tensor == 2);
  CHECK(all.plans[0].plan.data == 8);
  CHECK(all.plans[1].name == "tp 4, overlap.gradient_reduce false");
  CHECK(all.plans[1].plan.data == 4);
  CHECK_FALSE(all.plans[1].plan.overlap.gradient_reduce);
  CHECK(all.plans[2].plan.tensor == 1);  // null: the default
  CHECK_FALSE(all.plans[3].plan.recompute_operators.empty());
  for (const Candidate& one : all.plans) CHECK_FALSE(one.combination);
}

TEST_CASE("a preset can be taken away") {
  const Folder folder;
  std::ofstream(folder / "s.yaml") << scenario_text;
  const ScenarioOptions options{folder / "s.yaml",
                                {{"plan.preset", "scaletorch"}},
                                FORESHARD_SOURCE_DIR "/scenarios/hardware"};
  const auto scenario = load_scenario(options);
  REQUIRE(scenario);
  CHECK(scenario->plan.reduce_per_linear);
  const auto reader = PlanReader::make(options, *scenario);
  REQUIRE(reader);
  const auto all = read_candidates(set_of("plans: [{name: bare, preset: null}]\n"), *reader, {});
  REQUIRE(all);
  CHECK_FALSE(all->plans[0].plan.reduce_per_linear);
}

TEST_CASE("prices are the scenario's unless a plan has its own") {
  const std::string plans = "plans:\n- {name: a}\n- {name: b, price: {gpu_hour: 1.5}}\n";
  const Candidates all = good(plans, "price: {gpu_hour: 2.5, currency: EUR}\n");
  CHECK(all.plans[0].gpu_hour == 2.5);
  CHECK(all.plans[1].gpu_hour == 1.5);
  const auto none = candidates(plans);
  REQUIRE_FALSE(none);
  CHECK_THAT(told(none.error()),
             Catch::StartsWith("p.yaml:3:3: error: a plan has a price, but the scenario has none"));
}

TEST_CASE("combinations that are no plans are refused, each with its reason") {
  // 16 GPUs: 5 does not divide them, 32 are more.
  const Candidates all = good("axes: {tensor_parallel: [1, 5, 32], pipeline_parallel: [1, 2]}\n");
  REQUIRE(all.plans.size() == 2);
  CHECK(all.plans[1].combination);
  REQUIRE(all.refused.size() == 4);
  CHECK(all.refused[0].name == "tp 5, pp 1");
  CHECK_THAT(told(all.refused[0].reasons), Catch::Contains("16 GPUs cannot be divided by"));
  CHECK_THAT(told(all.refused[3].reasons),
             Catch::StartsWith("p.yaml:1:32: error: tensor_parallel 32 x pipeline_parallel 2"));
}

TEST_CASE("the same in a list is a mistake") {
  const auto all = candidates("plans:\n- {tensor_parallel: 5}\n- {tensor_parallel: 32}\n");
  REQUIRE_FALSE(all);
  const std::string text = told(all.error());
  CHECK_THAT(text, Catch::Contains("p.yaml:2:21: error: 16 GPUs cannot be divided by"));
  CHECK_THAT(text, Catch::Contains("p.yaml:3:21: error: tensor_parallel 32"));
}

TEST_CASE("a word that no combination can use is a mistake, one that some can is refused there") {
  const auto typo = candidates("axes:\n  recompute: [none, ful]\n  tensor_parallel: [1, 2]\n");
  REQUIRE_FALSE(typo);
  CHECK_THAT(told(typo.error()), Catch::StartsWith("p.yaml:2:21: error: "));
  CHECK(typo.error().size() == 1);
  const auto key = candidates("axes:\n  tensor: [1, 2]\n");
  REQUIRE_FALSE(key);
  CHECK_THAT(told(key.error()), Catch::StartsWith("p.yaml:2:3: error: unknown key 'tensor'"));
  // 'recompute_every' is for full recompute only.
  const Candidates some = good("axes:\n  recompute: [none, full]\n  recompute_every: [null, 2]\n");
  CHECK(some.plans.size() == 3);
  REQUIRE(some.refused.size() == 1);
  CHECK(some.refused[0].name == "recompute none, recompute_every 2");
}

TEST_CASE("mistakes of a file of plans, each at its place") {
  const auto [text, message] = GENERATE(table<std::string, std::string>({
      {"{}", "p.yaml:1:1: error: there is no plan in it"},
      {"plan: []", "p.yaml:1:1: error: unknown key 'plan' (did you mean 'plans'?)"},
      {"plans: 3", "p.yaml:1:8: error: 'plans'"},
      {"plans: [tp]", "p.yaml:1:9: error: 'plans.0' must be a map"},
      {"plans: [{zero: 1}, {zero: 1}]", "p.yaml:1:20: error: two plans are named 'zero 1'"},
      {"plans: [{name: a}, {name: a, zero: 1}]", "p.yaml:1:20: error: two plans are named 'a'"},
      {"plans: [{name: a, price: 3}]", "p.yaml:1:26: error: 'plans.0.price' must be a map"},
      {"plans: [{name: a, price: {}}]", "'plans.0.price.gpu_hour' is missing"},
      {"plans: [{name: a, price: {gpu_hour: -1}}]", "p.yaml:1:37: error: "},
      {"axes: [1]", "p.yaml:1:7: error: 'axes' must be a map"},
      {"axes: {zero: 1}", "p.yaml:1:14: error: 'zero' is no list of values"},
      {"axes: {zero: []}", "p.yaml:1:14: error: 'zero' is no list of values"},
      {"axes: {zero: [1, 2, 1]}", "p.yaml:1:21: error: '1' stands twice"},
      {"axes: {.zero: [1]}", "p.yaml:1:8: error: '.zero' is no key of a plan"},
      {"axes: {overlap: [null], overlap.tensor: [true]}",
       "p.yaml:1:25: error: the axes 'overlap' and 'overlap.tensor' set the same"},
      {"plans: [{zero: 1}]\naxes: {zero: [1]}",
       "p.yaml:1:1: error: a plan and a combination of the axes are both 'zero 1'"},
  }));
  const auto set = read_plan_set(text, "p.yaml");
  REQUIRE_FALSE(set);
  INFO(text);
  CHECK_THAT(told(set.error()), Catch::Contains(message));
}

TEST_CASE("more plans than there may be are refused before they are made") {
  std::string list = "[0";
  for (int i = 1; i < 1000; ++i) list += ", " + std::to_string(i);
  std::string text = "axes:\n";
  for (const char* key : {"a", "b", "c", "d", "e", "f", "g", "h"})
    text += std::string("  ") + key + ": " + list + "]\n";
  const auto set = read_plan_set(text, "p.yaml");
  REQUIRE_FALSE(set);
  CHECK_THAT(told(set.error()), Catch::Contains("1e+24 plans are more than 10000"));
}

TEST_CASE("prices of a scenario are a number and a word") {
  const auto [text, message] = GENERATE(table<std::string, std::string>({
      {"price: 2", "'price' must be a map"},
      {"price: {gpu_hour: 2}", "'price.currency' is missing"},
      {"price: {currency: USD}", "'price.gpu_hour' is missing"},
      {"price: {gpu_hour: 2, currency: U$}", "a currency is a word of up to 12 letters"},
      {"price: {gpu_hour: 2, currency: USD, per: token}", "unknown key 'per'"},
  }));
  const Folder folder;
  std::ofstream(folder / "s.yaml") << scenario_text << text << "\n";
  const auto scenario =
      load_scenario({folder / "s.yaml", {}, FORESHARD_SOURCE_DIR "/scenarios/hardware"});
  REQUIRE_FALSE(scenario);
  CHECK_THAT(told(scenario.error()), Catch::Contains(message));
}

TEST_CASE("a dlcalc file has no plan to lay others over") {
  const ScenarioOptions options{FORESHARD_SOURCE_DIR "/tests/fuzz/corpus/scenario/dlcalc.yaml",
                                {},
                                FORESHARD_SOURCE_DIR "/scenarios/hardware"};
  const auto scenario = load_scenario(options);
  REQUIRE(scenario);
  const auto reader = PlanReader::make(options, *scenario);
  REQUIRE_FALSE(reader);
  CHECK_THAT(told(reader.error()), Catch::Contains("a scenario without 'plan'"));
}

}  // namespace
}  // namespace sim::compare
