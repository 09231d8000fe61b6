#include "base/map_reader.hpp"

#include <fmt/format.h>

#include <functional>
#include <string>

#include "tests/support/catch.hpp"

namespace base {
namespace {

enum class Colour { red, green };
constexpr std::array<std::pair<std::string_view, Colour>, 2> colour_names{
    {{"red", Colour::red}, {"green", Colour::green}}};

/// What a reader says about a text, one diagnostic a line.
std::string complaints(const std::string& yaml, const std::function<void(MapReader&)>& read) {
  const Result<Document> document = parse_yaml(yaml, "c.yaml");
  REQUIRE(document);
  Diagnostics problems;
  MapReader reader(*document, document->root, "", problems);
  read(reader);
  reader.finish();
  std::string lines;
  for (const Diagnostic& problem : problems) lines += problem.format() + "\n";
  return lines;
}

TEST_CASE("numbers are read strictly") {
  struct Row {
    std::string value;
    std::string want;
  };
  const Row row = GENERATE(values<Row>({
      {"8", ""},
      {"-3", "1:4: error: 'n' is -3, must be at least 0\n"},
      {"101", "1:4: error: 'n' is 101, must be at most 100\n"},
      {"010", "1:4: error: 'n' looks octal: 010 (write 10)\n"},
      {"00", "1:4: error: 'n' looks octal: 00 (write 0)\n"},
      {"0x10", "1:4: error: 'n' is not a whole number: '0x10'\n"},
      {"0o17", "1:4: error: 'n' is not a whole number: '0o17'\n"},
      {"1_000", "1:4: error: 'n' is not a whole number: '1_000'\n"},
      {"4.0", "1:4: error: 'n' is not a whole number: '4.0'\n"},
      {"1e3", "1:4: error: 'n' is not a whole number: '1e3'\n"},
      {"+5", "1:4: error: 'n' is not a whole number: '+5'\n"},
      {"four", "1:4: error: 'n' is not a whole number: 'four'\n"},
      {"'8'",
       "1:4: error: 'n' must be a whole number, but is text in quotes (remove the quotes)\n"},
      {"99999999999999999999", "1:4: error: 'n' is out of range: 99999999999999999999\n"},
      {"[8]", "1:4: error: 'n' must be a whole number, but is a list\n"},
      {"{a: 8}", "1:4: error: 'n' must be a whole number, but is a map\n"},
  }));
  CAPTURE(row.value);
  int n = 7;
  CHECK(complaints("n: " + row.value + "\n", [&](MapReader& r) {
          r.read("n", n, {0, 100});
        }) == (row.want.empty() ? "" : "c.yaml:" + row.want));
  CHECK(n == (row.want.empty() ? 8 : 7));
}

TEST_CASE("fractions are read strictly") {
  struct Row {
    std::string value;
    std::string want;
  };
  const Row row = GENERATE(values<Row>({
      {"0.5", ""},
      {"5e-1", ""},
      {"nan", "1:4: error: 'x' is not a number: 'nan'\n"},
      {".inf", "1:4: error: 'x' is not a number: '.inf'\n"},
      {"inf", "1:4: error: 'x' is not a number: 'inf'\n"},
      {"1e999", "1:4: error: 'x' is out of range: 1e999\n"},
      {"00.5", "1:4: error: 'x' looks octal: 00.5 (remove the leading 0)\n"},
      {"0,5", "1:4: error: 'x' is not a number: '0,5'\n"},
      {"\"0.5\"", "1:4: error: 'x' must be a number, but is text in quotes (remove the quotes)\n"},
      {"2", "1:4: error: 'x' is 2, must be at most 1\n"},
      {"-1", "1:4: error: 'x' is -1, must be at least 0\n"},
  }));
  CAPTURE(row.value);
  double x = 7;
  CHECK(complaints("x: " + row.value + "\n", [&](MapReader& r) {
          r.read("x", x, {0, 1});
        }) == (row.want.empty() ? "" : "c.yaml:" + row.want));
  CHECK(x == (row.want.empty() ? 0.5 : 7));
}

TEST_CASE("words, switches, choices and quantities") {
  struct Row {
    std::string yaml;
    std::string want;
  };
  const Row row = GENERATE(values<Row>({
      {"flag: true\nword: x\ncolour: green\nsize: 1 GiB\nrate: 1 GB/s\ntime: 1 s\nspeed: 1 TFLOP/s",
       ""},
      {"flag: yes", "1:7: error: 'flag' must be true or false, but is 'yes'\n"},
      {"flag: 'true'", "1:7: error: 'flag' must be true or false, but is the text 'true'\n"},
      {"flag: True", "1:7: error: 'flag' must be true or false, but is 'True'\n"},
      {"word: [x]", "1:7: error: 'word' must be text, but is a list\n"},
      {"colour: gren",
       "1:9: error: 'colour' is 'gren', must be one of red, green (did you mean 'green'?)\n"},
      {"colour: blue", "1:9: error: 'colour' is 'blue', must be one of red, green\n"},
      {"size: 80", "1:7: error: 'size' has no unit: '80' (for example 80 GiB)\n"},
      {"rate: 400 Gb",
       "1:7: error: 'rate' has the unknown unit 'Gb' (one of Gbit/s, Mbit/s, Tbit/s, kbit/s, GB/s, "
       "MB/s, kB/s, TB/s, GiB/s, MiB/s, TiB/s, B/s)\n"},
      {"time: {s: 5}", "1:7: error: 'time' must be a number with a unit, but is a map\n"},
      {"speed: fast",
       "1:8: error: 'speed' is not a number with a unit: 'fast' (for example 989 TFLOP/s)\n"},
  }));
  CAPTURE(row.yaml);
  bool flag = false;
  std::string word;
  Colour colour = Colour::red;
  Bytes size;
  BytesPerSecond rate;
  Seconds time;
  FlopPerSecond speed;
  CHECK(complaints(row.yaml + "\n", [&](MapReader& r) {
          r.read("flag", flag);
          r.read("word", word);
          r.read_choice("colour", colour, colour_names);
          r.read("size", size);
          r.read("rate", rate);
          r.read("time", time);
          r.read("speed", speed);
        }) == (row.want.empty() ? "" : "c.yaml:" + row.want));
  if (row.want.empty()) {
    CHECK((flag && word == "x" && colour == Colour::green));
    CHECK((size.gib() == 1 && rate.gbyte() == 1 && time.s() == 1 && speed.tflops() == 1));
  }
}

TEST_CASE("lists tell which item is wrong") {
  std::vector<double> numbers{7};
  std::vector<std::string> words{"kept"};
  const auto read = [&](MapReader& r) {
    r.read("numbers", numbers);
    r.read("words", words);
  };
  CHECK(complaints("numbers: [1, 2.5]\nwords: [a, 'b']\n", read).empty());
  CHECK(numbers == std::vector<double>{1, 2.5});
  CHECK(words == std::vector<std::string>{"a", "b"});
  CHECK(complaints("numbers: [1, two]\n", read) ==
        "c.yaml:1:14: error: each of 'numbers' is not a number: 'two'\n");
  CHECK(complaints("numbers: [1, 010]\n", read) ==
        "c.yaml:1:14: error: each of 'numbers' looks octal: 010 (remove the leading 0)\n");
  CHECK(complaints("numbers: 5\n", read) ==
        "c.yaml:1:10: error: 'numbers' must be a list, but is a single value\n");
  CHECK(complaints("words: [a, [b]]\n", read) ==
        "c.yaml:1:12: error: each of 'words' must be text, but this is a list\n");
  CHECK(complaints("words:\n  - a\n  -\n", read) ==
        "c.yaml:4:1: error: each of 'words' must be text, but this is empty\n");
  CHECK(numbers == std::vector<double>{1, 2.5});
  CHECK(words == std::vector<std::string>{"a", "b"});
}

TEST_CASE("texts come with their places, one or a list of them") {
  std::vector<PlacedText> words;
  const auto read = [&](MapReader& r) { r.read("words", words); };
  CHECK(complaints("words: a\n", read).empty());
  REQUIRE(words.size() == 1);
  CHECK(words[0].text == "a");
  CHECK(words[0].where == SourceRef{"c.yaml", 1, 8});
  CHECK(complaints("words: [a, b]\n", read).empty());
  REQUIRE(words.size() == 2);
  CHECK(words[1].text == "b");
  CHECK(words[1].where == SourceRef{"c.yaml", 1, 12});
  CHECK(complaints("words: [a, [b]]\n", read) ==
        "c.yaml:1:12: error: each of 'words' must be text, but this is a list\n");
  CHECK(words.size() == 2);
}

TEST_CASE("absent keys are told where they should be") {
  int n = 0;
  const auto read = [&](MapReader& r) {
    if (auto plan = r.required_map("plan")) {
      plan->require("tp", n);
      plan->finish();
    }
  };
  CHECK(complaints("", read) == "c.yaml: error: 'plan' is missing\n");
  CHECK(complaints("plan:\n", read) == "c.yaml:1:1: error: 'plan' is empty\n");
  CHECK(complaints("plan: {}\n", read) == "c.yaml:1:7: error: 'plan.tp' is missing\n");
  CHECK(complaints("plan:\n  tp:\n", read) == "c.yaml:2:3: error: 'plan.tp' is empty\n");
  CHECK(complaints("plan:\n  tp:4\n", read) ==
        "c.yaml:2:3: error: 'plan' must be a map of keys, but is a single value (a space must "
        "follow the ':' of a key)\n");  // and not that its keys are missing
  CHECK(complaints("- plan\n", read) ==
        "c.yaml:1:1: error: the file must be a map of keys, but is a list\n"
        "c.yaml:1:1: error: 'plan' is missing\n");
  CHECK(complaints("plan: {tp: 4}\n", read).empty());
  CHECK(n == 4);
}

TEST_CASE("maps in lists know their place") {
  int n = 0;
  const auto read = [&](MapReader& r) {
    for (MapReader& item : r.maps("items")) {
      item.require("n", n);
      item.finish();
    }
  };
  CHECK(complaints("items:\n  - n: 1\n  - m: 2\n", read) ==
        "c.yaml:3:5: error: 'items.1.n' is missing\n"
        "c.yaml:3:5: error: unknown key 'm' (did you mean 'n'?)\n");
  CHECK(complaints("items: {n: 1}\n", read) ==
        "c.yaml:1:8: error: 'items' must be a list, but is a map\n");
}

TEST_CASE("a file of another kind is not answered with a thousand lines") {
  std::string yaml;
  for (int i = 0; i < 1000; ++i) yaml += fmt::format("key{}: 1\n", i);
  const std::string all = complaints(yaml, [](MapReader&) {});
  CHECK(std::count(all.begin(), all.end(), '\n') == 21);
  CHECK(all.ends_with("c.yaml:1:1: error: 980 more unknown keys\n"));
}

TEST_CASE("later checks can point at the words that caused them") {
  const Result<Document> document = parse_yaml("plan:\n  tp: 3\n", "c.yaml");
  REQUIRE(document);
  Diagnostics problems;
  Origins origins;
  MapReader reader(*document, document->root, "", problems, &origins);
  int tp = 0;
  reader.map("plan")->read("tp", tp);
  CHECK(origins.at("plan.tp") == SourceRef{"c.yaml", 2, 7});
  CHECK(origins.at("plan.tp.deeper") == SourceRef{"c.yaml", 2, 7});
  CHECK(origins.at("plan.pp") == SourceRef{"c.yaml", 2, 3});
  CHECK(origins.at("model") == SourceRef{"c.yaml", 1, 1});
  CHECK(Origins{}.at("x") == SourceRef{});
}

}  // namespace
}  // namespace base
