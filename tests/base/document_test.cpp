#include "base/document.hpp"

#include "base/map_reader.hpp"
#include "tests/support/catch.hpp"

namespace base {
namespace {

TEST_CASE("a key nobody asked for is told with the nearest key that exists") {
  const Result<Document> document = parse_yaml("gpus: 8\ngpu_per_node: 8\n", "c.yaml");
  REQUIRE(document);
  Diagnostics problems;
  MapReader reader(*document, document->root, "", problems);
  int gpus = 0;
  int gpus_per_node = 0;
  CHECK(reader.read("gpus", gpus));
  CHECK_FALSE(reader.read("gpus_per_node", gpus_per_node));
  reader.finish();
  CHECK(gpus == 8);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].format() ==
        "c.yaml:2:1: error: unknown key 'gpu_per_node' (did you mean 'gpus_per_node'?)");
}

TEST_CASE("JSON values carry their place") {
  const Result<Document> document =
      parse_json("{\"a\": 12,\n  \"b\": [true, \"x\\\"y\"], \"c\": {\"d\": -1.5e3}}", "m.json");
  REQUIRE(document);
  const Node* a = document->root.find("a");
  REQUIRE(a != nullptr);
  CHECK(a->text == "12");
  CHECK(a->column == 7);
  const Node* b = document->root.find("b");
  REQUIRE(b != nullptr);
  CHECK((b->line == 2 && b->column == 8));
  CHECK((b->items[0].text == "true" && b->items[0].column == 9));
  CHECK((b->items[1].text == "x\"y" && b->items[1].column == 15));
  const Node* d = document->root.find("c")->find("d");
  REQUIRE(d != nullptr);
  CHECK((d->line == 2 && d->column == 35));
  CHECK(d->text == "-1.5e3");
}

TEST_CASE("truncated JSON says so at its end") {
  const Result<Document> document = parse_json("{\"a\": [1,\n2", "m.json");
  REQUIRE_FALSE(document);
  CHECK(document.error()[0].format() ==
        "m.json:2:2: error: the file ends in the middle of a value (the JSON is truncated; write "
        "it again)");
}

}  // namespace
}  // namespace base
