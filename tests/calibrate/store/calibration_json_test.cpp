// Exported and read again, a calibration is what it was.

#include "calibrate/store/calibration_json.hpp"

#include "tests/calibrate/store/support.hpp"
#include "viz/calibration_json.hpp"

namespace calibrate::store {

namespace {

TEST_CASE("what was exported reads as it was, and exports as it was") {
  std::vector<RunRecords> runs;
  for (unsigned seed = 1; seed <= 10; ++seed) runs.push_back(RandomRecords(seed).records(20));
  const FitRow fit{"2026-11-28T12:00:00Z", "gemm", "x", "{\"a\": 1}", 3, 0.1, 0.2, 1, 2};
  const std::string text = viz::calibration_json(runs, {fit});
  CHECK(is_calibration_json(text));
  const auto read = read_calibration_json(text, "a.json");
  INFO((read ? "" : text_of(read.error())));
  REQUIRE(read);
  CHECK(*read == runs);
  CHECK(viz::calibration_json(*read, {fit}) == text);
}

TEST_CASE("a calibration without runs") {
  const auto read = read_calibration_json(viz::calibration_json({}, {}), "a.json");
  REQUIRE(read);
  CHECK(read->empty());
}

TEST_CASE("a calibration from before overlaps were measured reads as one without them") {
  RunRecords records = RandomRecords(1).records(3);
  records.overlaps.clear();
  std::string text = viz::calibration_json({records}, {});
  const std::string part = ",\n\"overlaps\": []";
  text.erase(text.find(part), part.size());
  const auto read = read_calibration_json(text, "a.json");
  REQUIRE(read);
  CHECK(*read == std::vector<RunRecords>{records});
}

/// The text with its first `from` changed.
std::string changed(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  INFO(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("every mistake is told at its place") {
  RunRecords records;
  records.run.id = "0123456789abcdef0123456789abcdef";
  records.collectives.emplace_back();
  records.kernels.emplace_back();
  records.kernels[0].kind = "gemm";
  records.kernels[0].kernel = base::Gemm{1, 2, 3};
  records.overlaps.emplace_back();
  const std::string good = viz::calibration_json({records}, {});
  REQUIRE(read_calibration_json(good, "a.json"));
  const auto [from, to, message] = GENERATE(table<std::string, std::string, std::string>({
      {"foreshard.calibration.v1", "foreshard.calibration.v2",
       "a.json:1:12: error: is not \"foreshard.calibration.v1\""},
      {"\"mean_s\":0.0", "\"mean_s\":-1.0", "a.json:5:"},
      {"\"mean_s\":0.0", "\"mean_s\":1e999", "a.json:5:"},
      {"\"samples_s\":[]", "\"samples_s\":[1.0,-2.0]", "a time below 0"},
      {"\"operation\":\"all_reduce\"", "\"operation\":\"all_reduse\"",
       "did you mean 'all_reduce'?"},
      {"\"kind\":\"gemm\"", "\"kind\":\"gem\"", "did you mean 'gemm'?"},
      {"gemm m=1", "gemm m=-1", "no shape of a kernel"},
      {"\"tool\"", "\"tul\"", "unknown key 'tul'"},
      {"\"size_bytes\":0", "\"size_bytes\":\"0\"", "a.json:5:"},
      {"\"id\":\"0123456789abcdef0123456789abcdef\"", "\"id\":\"\"", "a run needs an id"},
      {"\"collective\":0", "\"collective\":1", "no row of that number in this run"},
      {"\"kernel\":0", "\"kernel\":-1", "a.json:9:"},
      {"\"machine\":{", "\"machine\":[{", "a.json:3:"},
  }));
  const auto read = read_calibration_json(changed(good, from, to), "a.json");
  REQUIRE_FALSE(read);
  CHECK(contains(text_of(read.error()), message));
}

TEST_CASE("two runs of one id are a mistake") {
  const RunRecords records = RandomRecords(1).records(1);
  const auto read = read_calibration_json(viz::calibration_json({records, records}, {}), "a.json");
  REQUIRE_FALSE(read);
  CHECK(contains(text_of(read.error()), "same id"));
}

}  // namespace

}  // namespace calibrate::store
