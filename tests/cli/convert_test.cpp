// foreshard convert: samples a second to tokens a day and to MFU, plans to launch files.

#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/program.hpp"
#include "tests/support/catch.hpp"

namespace {

using nlohmann::json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("samples a second are tokens a day as dlcalc counts them") {
  // dlcalc's sps2tpd: rate x sequence x 86400 x goodput.
  const Outcome outcome = foreshard("convert sps2tpd -t 2.5 -s 8192 -g 0.9 --json -");
  REQUIRE(outcome.code == 0);
  const json answer = json::parse(outcome.out);
  CHECK(answer.at("schema") == "foreshard.tokens_per_day.v1");
  CHECK(answer.at("tokens_per_s") == 2.5 * 8192);
  CHECK(answer.at("tokens_per_day").get<double>() == Approx(2.5 * 8192 * 86400 * 0.9));
  const Outcome text = foreshard("convert sps2tpd --rate 2.5 --sequence 8192 --goodput 0.9");
  CHECK(contains(text.out, "tokens/day        1,592,524,800 (1.593 billion)"));
}

TEST_CASE("the sequence may be that of a scenario") {
  const Outcome outcome =
      foreshard("convert sps2tpd -t 1 --scenario scenarios/quickstart.yaml --json -");
  REQUIRE(outcome.code == 0);
  CHECK(json::parse(outcome.out).at("sequence_tokens") == 8192);
}

TEST_CASE("samples a second are MFU as dlcalc counts it") {
  // dlcalc's sps2mfu: 6 x size x sequence x rate / (TFLOPS x 10^12 x devices).
  const Outcome outcome = foreshard("convert sps2mfu -s 16 -l 4096 -m 7b -n 2x8 -t 989 --json -");
  REQUIRE(outcome.code == 0);
  const json answer = json::parse(outcome.out);
  CHECK(answer.at("gpus") == 16);
  REQUIRE(answer.at("counts").size() == 1);
  const json& count = answer.at("counts")[0];
  CHECK(count.at("name") == "6n");
  CHECK(count.at("mfu").get<double>() == Approx(6 * 7e9 * 4096 * 16 / (989e12 * 16)));
}

TEST_CASE("with layers and their width attention counts as PaLM counted it") {
  const Outcome outcome = foreshard(
      "convert sps2mfu -s 16 -l 4096 -m 7b --layers 32 --attention-width 4096 -n 16 "
      "--gpu H100-SXM5-80GB --json -");
  REQUIRE(outcome.code == 0);
  const json answer = json::parse(outcome.out);
  CHECK(answer.at("counts")[1].at("name") == "palm");
  CHECK(answer.at("counts")[1].at("flop_per_token").get<double>() ==
        Approx(6 * 7e9 + 12.0 * 32 * 4096 * 4096));
  CHECK(answer.at("peak_tflops_per_gpu").get<double>() == Approx(989.4));
}

TEST_CASE("the rate that a run forecasts is the MFU that it reports") {
  const Outcome run = foreshard("run scenarios/quickstart.yaml --fidelity analytic --json -");
  REQUIRE(run.code == 0);
  const json report = json::parse(run.out);
  const double rate = report.at("tokens_per_s").get<double>() / 8192;
  const Outcome outcome = foreshard("convert sps2mfu --scenario scenarios/quickstart.yaml --rate " +
                                    std::to_string(rate) + " --json -");
  REQUIRE(outcome.code == 0);
  const json answer = json::parse(outcome.out);
  REQUIRE(answer.at("counts").size() == 3);
  CHECK(answer.at("counts")[2].at("name") == "model");
  CHECK(answer.at("counts")[2].at("mfu").get<double>() ==
        Approx(report.at("mfu").get<double>()).epsilon(1e-4));
}

TEST_CASE("a mixture counts the parameters that a token passes through") {
  const Outcome outcome = foreshard(
      "convert sps2mfu -s 1 -l 4096 --model scenarios/models/mixtral-8x7b/config.json -n 8 "
      "--gpu H100-SXM5-80GB --precision fp8 --json -");
  REQUIRE(outcome.code == 0);
  const json answer = json::parse(outcome.out);
  // 12.88 of 46.7 billion (Mixtral of experts, arXiv 2401.04088: "13B active").
  CHECK(answer.at("parameters") == 12879925248.0);
  CHECK(answer.at("peak_tflops_per_gpu").get<double>() == Approx(1978.9));
}

TEST_CASE("what cannot be is said") {
  const Outcome outcome = foreshard("convert sps2mfu -s 1600 -l 4096 -m 7b -n 16 -t 989");
  CHECK(outcome.code == 0);
  // 6 x 7e9 x 4096 x 1600 / (989e12 x 16) = 17.39
  CHECK(contains(outcome.err, "warning: an MFU of 1739 % cannot be"));
}

TEST_CASE("a wrong conversion ends with 2 and says what is wrong") {
  const auto [arguments, message] = GENERATE(table<std::string, std::string>({
      {"convert", "A subcommand is required"},
      {"convert sps2tpd -s 8192", "--rate is required"},
      {"convert sps2tpd -t 1", "how long is a sample?"},
      {"convert sps2tpd -t 1 -s 8 -g 1.5", "not in range"},
      {"convert sps2mfu -s 1 -l 8 -m 70x -n 8 -t 989", "'70x' is no count"},
      {"convert sps2mfu -s 1 -l 8 -m 70bb -n 8 -t 989", "'70bb' is no count"},
      {"convert sps2mfu -s 1 -l 8 -m 70 -n 8 -t 989", "'70' is no count"},
      {"convert sps2mfu -s 1 -l 8 -m 70b -n 2x8x4 -t 989", "'2x8x4' is no number of GPUs"},
      {"convert sps2mfu -s 1 -l 8 -m 70b -n 0 -t 989", "'0' is no number of GPUs"},
      {"convert sps2mfu -s 1 -l 8 -m 70b -n 8", "which GPU?"},
      {"convert sps2mfu -s 1 -l 8 -n 8 -t 989", "which model?"},
      {"convert sps2mfu -s 1 -m 7b -n 8 -t 989", "how long is a sample?"},
      {"convert sps2mfu -s 1 -l 8 -m 7b -t 989", "how many GPUs?"},
      {"convert launch scenarios/quickstart.yaml", "--for is required"},
      {"convert launch scenarios/quickstart.yaml --for nemo", "nemo not in"},
  }));
  const Outcome outcome = foreshard(arguments);
  CHECK(outcome.code == 2);
  CHECK(outcome.out.empty());
  CHECK(contains(outcome.err, message));
}

TEST_CASE("a GPU that is not known ends with 1 and the nearest that is") {
  const Outcome outcome = foreshard("convert sps2mfu -s 1 -l 8 -m 7b -n 8 --gpu H100-SXM5-80G");
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "did you mean 'H100-SXM5-80GB'?"));
}

TEST_CASE("a plan is launched by every framework that is known") {
  const Folder folder;
  for (const std::string framework : {"megatron", "torchtitan", "deepspeed", "scaletorch"}) {
    const Outcome outcome = foreshard("convert launch scenarios/llama3-70b-64xh100.yaml --for " +
                                      framework + " --output '" + (folder / framework) + "'");
    CHECK(outcome.code == 0);
    CHECK(outcome.out.empty());
    CHECK_FALSE(contents_of(folder / framework).empty());
    CHECK(contains(outcome.err, "not expressed: plan.") != (framework == "megatron"));
  }
  const Outcome outcome =
      foreshard("convert launch scenarios/strategies/pipeline-zb-v.yaml --for megatron");
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.err,
                 "warning: not expressed: plan.schedule: zb-v (Megatron-LM has 1f1b "
                 "and interleaved)"));
  CHECK(contains(outcome.out, "# not expressed: plan.schedule: zb-v"));
}

}  // namespace
