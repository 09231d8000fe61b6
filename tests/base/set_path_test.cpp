#include <string>

#include "base/document.hpp"
#include "base/map_reader.hpp"
#include "tests/support/catch.hpp"

namespace base {
namespace {

Document sample() {
  return *parse_yaml("plan:\n  tp: 4\n  list: [a, b]\nname: x\nnone:\n", "c.yaml");
}

TEST_CASE("a value is set, or made on the way") {
  Document document = sample();
  CHECK(set_path(document, "plan.tp", "8").empty());
  CHECK(set_path(document, "plan.list.1", "'c'").empty());
  CHECK(set_path(document, "new.deep.key", "[1, 2]").empty());
  CHECK(set_path(document, "none.inner", "y").empty());
  CHECK(set_path(document, "name", "{a: 1}").empty());
  CHECK(set_path(document, "name.a", "2").empty());
  const Node& root = document.root;
  CHECK(root.find("plan")->find("tp")->text == "8");
  CHECK(root.find("plan")->find("list")->items[1].text == "c");
  CHECK(root.find("new")->find("deep")->find("key")->items.size() == 2);
  CHECK(root.find("none")->find("inner")->text == "y");
  CHECK(root.find("name")->find("a")->text == "2");
}

TEST_CASE("a path that leads nowhere is told") {
  struct Row {
    std::string path;
    std::string value;
    std::string want;
  };
  const Row row = GENERATE(values<Row>({
      {"", "1", "--set =1: error: the path before '=' is empty (for example plan.tp=4)"},
      {"a..b", "1",
       "--set a..b=1: error: the path 'a..b' has an empty part (for example plan.tp=4)"},
      {".a", "1", "--set .a=1: error: the path '.a' has an empty part (for example plan.tp=4)"},
      {"a.", "1", "--set a.=1: error: the path 'a.' has an empty part (for example plan.tp=4)"},
      {"name.x", "1",
       "--set name.x=1: error: there is no 'name.x' to set (a path goes through maps by key and "
       "through lists by index)"},
      {"plan.list.2", "1",
       "--set plan.list.2=1: error: there is no 'plan.list.2' to set (a path goes through maps by "
       "key and through lists by index)"},
      {"plan.list.x.y", "1",
       "--set plan.list.x.y=1: error: there is no 'plan.list.x' to set (a path goes through maps "
       "by key and through lists by index)"},
      {"plan.tp", "[1",
       "--set plan.tp=[1:1:3: error: end of sequence flow not found (this is not valid YAML)"},
  }));
  Document document = sample();
  const Diagnostics problems = set_path(document, row.path, row.value);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].format() == row.want);
}

TEST_CASE("messages about set values name the option") {
  Document document = sample();
  CHECK(set_path(document, "plan.tp", "four").empty());
  CHECK(set_path(document, "plam.tp", "4").empty());
  Diagnostics problems;
  MapReader reader(document, document.root, "", problems);
  int tp = 0;
  reader.map("plan")->read("tp", tp);
  reader.find("name");
  reader.find("none");
  reader.finish();
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].format() == "--set plan.tp=four: error: 'tp' is not a whole number: 'four'");
  CHECK(problems[1].format() ==
        "--set plam.tp=4: error: unknown key 'plam' (did you mean 'plan'?)");
}

TEST_CASE("a file that is not there is told") {
  CHECK(read_file("no/such/file").error()[0].format() ==
        "no/such/file: error: cannot be read (check the path and its permissions)");
  CHECK_FALSE(read_file("."));
  CHECK(read_file("CMakeLists.txt"));
}

}  // namespace
}  // namespace base
