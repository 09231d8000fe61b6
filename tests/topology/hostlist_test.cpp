#include "topology/hostlist.hpp"

#include <random>

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"

namespace topology {
namespace {

using Names = std::vector<std::string>;

TEST_CASE("hostlists are written out") {
  struct Row {
    const char* text;
    Names names;
  };
  const Row row = GENERATE(values<Row>({
      {"n1", {"n1"}},
      {"n[0-3,7]", {"n0", "n1", "n2", "n3", "n7"}},
      {"a,b[1-2],c", {"a", "b1", "b2", "c"}},
      {"n[008-011]", {"n008", "n009", "n010", "n011"}},
      {"n[8-11]", {"n8", "n9", "n10", "n11"}},
      {"r[1-2]n[0-1]-ib", {"r1n0-ib", "r1n1-ib", "r2n0-ib", "r2n1-ib"}},
      {"n[3,1]", {"n3", "n1"}},
      {"[1-2]", {"1", "2"}},
  }));
  INFO(row.text);
  const auto names = expand_hostlist(row.text);
  REQUIRE(names);
  CHECK(*names == row.names);
}

TEST_CASE("mistakes in a hostlist are told at their character") {
  struct Row {
    const char* text;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"leaf-[a-b]", "f:3:16: error: 'a-b' is no range of numbers (write for example [0-3,7])\n"},
      {"n[0-3", "f:3:11: error: a '[' without its ']'\n"},
      {"n]", "f:3:11: error: a ']' without its '['\n"},
      {"n1,,n2", "f:3:13: error: an empty name in the hostlist\n"},
      {"", "f:3:10: error: an empty name in the hostlist\n"},
      {"n1,", "f:3:13: error: an empty name in the hostlist\n"},
      {"n[3-1]", "f:3:12: error: the range '3-1' ends before it begins\n"},
      {"n[]", "f:3:12: error: '' is no range of numbers (write for example [0-3,7])\n"},
      {"n1 n2", "f:3:12: error: a space inside a hostlist (join by commas)\n"},
      {"n[0-99999999999]", "f:3:11: error: more than 1048576 names\n"},
      {"n[0-1023][0-1024]", "f:3:19: error: more than 1048576 names\n"},
      {"n[0-1048575],m", "f:3:23: error: more than 1048576 names\n"},
      {"n[1-9999999999999999999]",
       "f:3:12: error: '1-9999999999999999999' is no range of numbers (write for example "
       "[0-3,7])\n"},
  }));
  INFO(row.text);
  const auto names = expand_hostlist(row.text, {"f", 3, 10});
  REQUIRE_FALSE(names);
  CHECK(text_of(names.error()) == row.want);
}

TEST_CASE("a long name is refused before a range multiplies it") {
  const auto names = expand_hostlist(std::string(1'000'000, 'n') + "[0-1000000]");
  REQUIRE_FALSE(names);
  CHECK(text_of(names.error()) == "hostlist:1:1: error: a name of more than 255 characters\n");
}

TEST_CASE("names are written as ranges") {
  CHECK(compress_hostlist(Names{"n0", "n1", "n2", "n7", "m"}) == "n[0-2,7],m");
  CHECK(compress_hostlist(Names{"n9", "n10", "n11"}) == "n[9-11]");
  CHECK(compress_hostlist(Names{"n09", "n10", "n011"}) == "n[09-10,011]");
  CHECK(compress_hostlist(Names{"r1-n1", "r1-n2", "r2-n1"}) == "r1-n[1-2],r2-n1");
  CHECK(compress_hostlist(Names{"n3", "n1", "n2"}) == "n[3,1-2]");
  CHECK(compress_hostlist(Names{}).empty());
}

TEST_CASE("what is written as ranges is read as the same names") {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    Names names;
    for (auto left = 1 + random() % 30; left > 0; --left) {
      const char* prefixes[] = {"n", "node-", "r1n", "", "x0y"};
      const int width = static_cast<int>(random() % 4);
      const std::string prefix = prefixes[random() % 5];
      if (prefix != "" && random() % 8 == 0)
        names.push_back(prefix + "a");
      else
        names.push_back(fmt::format("{}{:0{}}", prefix, random() % 120, width));
    }
    const auto again = expand_hostlist(compress_hostlist(names));
    REQUIRE(again);
    CHECK(*again == names);
  }
}

TEST_CASE("a million names are written out and together again") {
  const auto names = expand_hostlist("n[0000000-1048575]");
  REQUIRE(names);
  CHECK(names->size() == 1048576);
  CHECK(compress_hostlist(*names) == "n[0000000-1048575]");
}

}  // namespace
}  // namespace topology
