// Pages: `--html` of commands and `foreshard view`. What a browser makes of them is tested in
// pages/pages_test.mjs.

#include <filesystem>
#include <string>

#include "tests/cli/program.hpp"
#include "tests/support/catch.hpp"

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool is_page(const std::string& path) {
  const std::string text = contents_of(path);
  return text.starts_with("<!doctype html>") && !contains(text, "foreshard-documents-here");
}

TEST_CASE("a command writes its page beside its answer, the same bytes each time") {
  const Folder folder;
  const std::string run = "run scenarios/quickstart.yaml";
  const Outcome outcome = foreshard(run + " --html '" + (folder / "a.html") + "'");
  CHECK(outcome.code == 0);
  CHECK(outcome.out == foreshard(run).out);
  REQUIRE(is_page(folder / "a.html"));
  CHECK(foreshard(run + " --html '" + (folder / "b.html") + "'").code == 0);
  CHECK(contents_of(folder / "a.html") == contents_of(folder / "b.html"));
}

TEST_CASE("what would help is simulated when asked, the best three in the text") {
  const Outcome plain = foreshard("run scenarios/quickstart.yaml");
  CHECK_FALSE(contains(plain.out, "What would help"));
  CHECK(contains(plain.out, "crit. path"));
  const Outcome asked = foreshard("run scenarios/quickstart.yaml --what-if");
  CHECK(asked.code == 0);
  CHECK(contains(asked.out,
                 "What would help (the step simulated again, one thing changed)\n"
                 "  kernels 10 % faster "));
  const Outcome json = foreshard("run scenarios/quickstart.yaml --what-if --json -");
  CHECK(contains(json.out, "\"change\": \"links between nodes twice as fast\""));
  CHECK(json.out == foreshard("run scenarios/quickstart.yaml --what-if --json -").out);
  const Outcome jobs = foreshard("run scenarios/jobs/fragmented.yaml --what-if");
  CHECK(jobs.code == 1);
  CHECK(contains(jobs.err, "--what-if changes one job, but there are several"));
}

TEST_CASE("view makes a page of what --json wrote and prints its path") {
  const Folder folder;
  const std::string json = folder / "report.json";
  REQUIRE(foreshard("run scenarios/quickstart.yaml --json '" + json + "'").code == 0);
  const Outcome beside = foreshard("view '" + json + "'");
  CHECK(beside.code == 0);
  CHECK(beside.out == (folder / "report.html") + "\n");
  CHECK(is_page(folder / "report.html"));
  const Outcome named =
      foreshard("view '" + json + "' '" + json + "' --html '" + (folder / "x") + "'");
  CHECK(named.out == (folder / "x") + "\n");
  CHECK(is_page(folder / "x"));
}

TEST_CASE("what is no answer of foreshard is refused at its place, all at once") {
  const Folder folder;
  write_file(folder / "other.json", "\n  {\"kind\": \"NodeList\"}");
  write_file(folder / "broken.json", "{\"schema\": ");
  const Outcome outcome =
      foreshard("view '" + (folder / "other.json") + "' '" + (folder / "broken.json") + "'");
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "other.json:2:3: error: no answer of foreshard"));
  CHECK(contains(outcome.err, "broken.json:1:"));
  CHECK(outcome.out.empty());
  CHECK_FALSE(std::filesystem::exists(folder / "other.html"));
  CHECK(foreshard("view no/such.json").code == 1);
  CHECK(foreshard("view").code == 2);
}

TEST_CASE("a page is a file of its own") {
  const Folder folder;
  CHECK(foreshard("run scenarios/quickstart.yaml --html -").code == 2);
  CHECK(foreshard("run scenarios/quickstart.yaml --html no/such/folder/x.html").code == 2);
  write_file(folder / "page.html", "{\"schema\": \"foreshard.report.v1\"}");
  const Outcome outcome = foreshard("view '" + (folder / "page.html") + "'");
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "the page would take the place of what it shows"));
}

}  // namespace
