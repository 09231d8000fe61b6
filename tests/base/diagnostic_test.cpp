#include "base/diagnostic.hpp"

#include <array>
#include <string>

#include "tests/support/catch.hpp"

namespace base {
namespace {

TEST_CASE("a diagnostic is one line that an editor can jump to") {
  CHECK(Diagnostic{{"a.yaml", 3, 7}, "bad", "do so"}.format() == "a.yaml:3:7: error: bad (do so)");
  CHECK(Diagnostic{{"a.csv", 3}, "bad", ""}.format() == "a.csv:3: error: bad");
  CHECK(Diagnostic{{"a.yaml"}, "bad", ""}.format() == "a.yaml: error: bad");
  CHECK(Diagnostic{{}, "bad", ""}.format() == "foreshard: error: bad");
  CHECK(Diagnostic{{"a", 1, 1}, "odd", "", Severity::warning}.format() == "a:1:1: warning: odd");
  CHECK(Diagnostic{{"a", 1, 1}, "so", "", Severity::note}.format() == "a:1:1: note: so");
}

TEST_CASE("words of the user can neither break the line nor flood it") {
  CHECK(Diagnostic{{"a"}, "unknown key 'x\n\x1b[2J'", ""}.format() ==
        "a: error: unknown key 'x\\x0a\\x1b[2J'");
  const std::string text = Diagnostic{{"a"}, std::string(5000, 'x'), ""}.format();
  CHECK(text == "a: error: " + std::string(2000, 'x') + " ... (5000 bytes in all)");
  // A character is never cut in two: 1999 + two bytes of é pass the limit.
  const std::string wide = Diagnostic{{"a"}, std::string(1999, 'x') + "é" + "yy", ""}.format();
  CHECK(wide == "a: error: " + std::string(1999, 'x') + " ... (2003 bytes in all)");
}

TEST_CASE("errors are told from warnings and notes") {
  Diagnostics problems{{{}, "x", "", Severity::warning}, {{}, "x", "", Severity::note}};
  CHECK_FALSE(has_errors(problems));
  problems.push_back({{}, "x", ""});
  CHECK(has_errors(problems));
  CHECK_FALSE(has_errors({}));
}

TEST_CASE("a typing mistake finds its word, another word does not") {
  constexpr std::array<std::string_view, 4> words{"gpus_per_node", "nodes", "tensor", "pipeline"};
  CHECK(nearest("gpu_per_node", words) == "gpus_per_node");
  CHECK(nearest("node", words) == "nodes");
  CHECK(nearest("tenosr", words) == "tensor");
  CHECK(nearest("batch", words).empty());
  CHECK(nearest("", words).empty());
  CHECK(nearest(std::string(100, 'n'), words).empty());
  CHECK(nearest("nodes", {}).empty());
  constexpr std::array<std::string_view, 2> tie{"aa", "ab"};
  CHECK(nearest("ac", tie) == "aa");
}

TEST_CASE("without a near word the known ones are listed, but not endlessly") {
  constexpr std::array<std::string_view, 2> two{"ring", "tree"};
  CHECK(suggest("rign", two) == "did you mean 'ring'?");
  CHECK(suggest("halving", two) == "known: ring, tree");
  CHECK(suggest("x", {}).empty());
  std::array<std::string_view, 13> many;
  many.fill("w");
  CHECK(suggest("halving", many) == "known: w, w, w, w, w, w, w, w, w, w, w, w, ...");
}

}  // namespace
}  // namespace base
