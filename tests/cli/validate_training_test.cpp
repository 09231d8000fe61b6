// `validate training` on tables made up for it.

#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/program.hpp"
#include "tests/sim/training_support.hpp"
#include "tests/support/catch.hpp"

namespace {

using nlohmann::json;
using sim::training::csv_of;
using sim::training::gpt;
using sim::training::with;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::string table = csv_of({
    with(gpt("dp4"), {{"group", "g"}}),
    with(gpt("dp8"), {{"group", "g"},
                      {"tp", "1"},
                      {"dp", "8"},
                      {"micro_batch", "2"},
                      {"step_time_s", "0.05"},
                      {"peak_memory_gib", "8"},
                      {"memory_kind", "allocated"}}),
    with(gpt("huge"), {{"hidden", "16384"},
                       {"ffn", "65536"},
                       {"head_dim", "1024"},
                       {"layers", "48"},
                       {"outcome", "oom"},
                       {"step_time_s", ""}}),
    with(gpt("doubt"), {{"trust", "low"}}),
    with(gpt("zero-bubble"), {{"schedule", "zb-x"}, {"pp", "2"}, {"dp", "2"}}),
});

TEST_CASE("a table of steps is scored: JSON on stdout and nothing else") {
  const Folder folder;
  write_file(folder / "t.csv", table);
  const std::string arguments = "validate training --table '" + (folder / "t.csv") + "' --json -";
  const Outcome outcome = foreshard(arguments);
  REQUIRE(outcome.code == 0);
  const json score = json::parse(outcome.out);
  CHECK(score.at("schema") == "foreshard.score.v1");
  CHECK(score.at("rows") == 5);
  CHECK(score.at("scored") == 2);
  CHECK(score.at("unexpressed") ==
        json::array({{{"id", "zero-bubble"}, {"reason", "schedule zb-x"}}}));
  REQUIRE(score.at("results").size() == 3);  // the doubtful one too, marked
  CHECK(score.at("results")[2].at("trust") == "low");
  // The figures are those of the results.
  double error = 0;
  for (const int i : {0, 1}) {
    const json& row = score.at("results")[static_cast<std::size_t>(i)];
    const double off = row.at("predicted").get<double>() / row.at("measured").get<double>() - 1;
    error += std::abs(off) / 2;
    double parts = 0;
    for (const auto& part : row.at("breakdown")) parts += part.get<double>();
    CHECK(parts == Approx(row.at("predicted").get<double>()));
  }
  CHECK(score.at("mape").get<double>() == Approx(error));
  CHECK(score.at("oom_accuracy") == 1.0);  // two fit and ran, one cannot
  CHECK(score.at("out_of_memory")[0].at("memory").at("fits") == false);
  CHECK(score.at("memory_mape").is_number());
  CHECK(score.at("plan_regret").is_number());
  CHECK(score.at("by").at("gpu").at("A100-SXM4-80GB").at("scored") == 2);
  CHECK(foreshard(arguments).out == outcome.out);
}

TEST_CASE("a score is a table for people, and the step may be played at another fidelity") {
  const Folder folder;
  write_file(folder / "t.csv", table);
  const Outcome outcome =
      foreshard("validate training --fidelity analytic --table '" + (folder / "t.csv") + "'");
  REQUIRE(outcome.code == 0);
  for (const char* part :
       {"5 rows; 2 steps scored, 1 of low trust apart, 1 left out", "choice of plans",
        "peak memory", "verdict on memory: 100.0 % of 3 rows right", "furthest off",
        "schedule zb-x"})
    CHECK(contains(outcome.out, part));
}

TEST_CASE("a damaged table is refused at its line") {
  const Folder folder;
  write_file(folder / "t.csv", csv_of({gpt("a"), with(gpt("b"), {{"hidden", "wide"}})}) + "x,y\n");
  const std::string validate = "validate training --table '" + (folder / "t.csv") + "'";
  const Outcome fields = foreshard(validate);
  CHECK(fields.code == 1);
  CHECK(fields.out.empty());
  CHECK(contains(fields.err, "t.csv:4:1: error: the row has 2 fields"));
  write_file(folder / "t.csv", csv_of({gpt("a"), with(gpt("b"), {{"hidden", "wide"}})}));
  const Outcome cell = foreshard(validate);
  CHECK(cell.code == 1);
  CHECK(contains(cell.err, "t.csv:3:1: error: 'hidden' is not a number: 'wide'"));
}

}  // namespace
