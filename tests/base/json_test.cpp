#include <fmt/format.h>

#include <array>
#include <string>

#include "base/document.hpp"
#include "tests/support/catch.hpp"

namespace base {
namespace {

TEST_CASE("JSON that is refused says where and why") {
  struct Row {
    std::string text;
    std::string want;
  };
  const std::string truncated =
      "error: the file ends in the middle of a value (the JSON is truncated; write it again)";
  const std::string follows =
      "error: something follows the end of the JSON value (give one value per file)";
  const std::string invalid = " (this is not valid JSON)";
  const Row row = GENERATE_COPY(values<Row>({
      {"", " error: is empty (this should be JSON)"},
      {" \r\n\t", " error: is empty (this should be JSON)"},
      {"{", "1:2: " + truncated},
      {"{\"a\"", "1:5: " + truncated},
      {"{\"a\":", "1:6: " + truncated},
      {"[1\n,\n2", "3:2: " + truncated},
      {"\"abc", "1:5: " + truncated},
      {"tru", "1:4: " + truncated},
      {"{\"a\":1}{\"b\":2}", "1:8: " + follows},
      {"[] x", "1:4: " + follows},
      {"\"\"\"\"", "1:4: " + follows},
      {"[1,]", "1:4: error: unexpected ']'; expected '[', '{', or a literal" + invalid},
      {"{\"a\":1,}", "1:8: error: unexpected '}'; expected string literal" + invalid},
      {"[01]", "1:3: error: unexpected number literal; expected ']'" + invalid},
      {"[1e400]", "1:6: error: number overflow parsing '1e400'" + invalid},
      {"{a:1}", "1:2: error: invalid literal" + invalid},
      {"[NaN]", "1:2: error: invalid literal" + invalid},
      {"[.5]", "1:2: error: invalid literal" + invalid},
      {"// c\n1", "1:1: error: invalid literal" + invalid},
      {"[\"\xff\"]", "1:3: error: invalid string: ill-formed UTF-8 byte" + invalid},
      {"[\"\\x\"]", "1:4: error: invalid string: forbidden character after backslash" + invalid},
      {"[\"\\ud83d\", 2]",
       "1:9: error: invalid string: surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF" +
           invalid},
      {"{\"a\":{\"b\":1,\n\"b\":2}}", "2:1: error: duplicate key 'b' (first given in line 1)"},
  }));
  CAPTURE(row.text);
  const Result<Document> document = parse_json(row.text, "m.json");
  REQUIRE_FALSE(document);
  CHECK(document.error()[0].format() == "m.json:" + row.want);
}

TEST_CASE("places in JSON are right after escapes and wide characters") {
  const Result<Document> document = parse_json(
      "\xEF\xBB\xBF[\"\\ud83d\\ude00\", 1, \"gr\xc3\xb6\xc3\x9f"
      "e\", 2, \"\\\\\", 3, \"\\\"\", 4,"
      "\n  -1.5e3,true,null,{\"a\\\"b\":[]}]",
      "m.json");
  REQUIRE(document);
  const std::vector<Node>& items = document->root.items;
  REQUIRE(items.size() == 12);
  CHECK(items[0].text == "\xF0\x9F\x98\x80");
  const std::array<std::array<int, 2>, 12> places{{{1, 2},
                                                   {1, 18},
                                                   {1, 21},
                                                   {1, 30},
                                                   {1, 33},
                                                   {1, 39},
                                                   {1, 42},
                                                   {1, 48},
                                                   {2, 3},
                                                   {2, 10},
                                                   {2, 15},
                                                   {2, 20}}};
  for (std::size_t i = 0; i < items.size(); ++i) {
    CAPTURE(i);
    CHECK(std::array{items[i].line, items[i].column} == places[i]);
  }
  CHECK(items[4].text == "\\");
  CHECK(items[10].kind == Node::Kind::null);
  CHECK(items[11].entries[0].key == "a\"b");
  CHECK((items[11].entries[0].column == 21 && items[11].entries[0].value.column == 28));
}

TEST_CASE("numbers keep what the file says") {
  const Result<Document> document =
      parse_json("[-7, 1E5, 123456789012345678901234567890, 1.0, 18446744073709551615]", "m.json");
  REQUIRE(document);
  const std::vector<Node>& items = document->root.items;
  CHECK(items[0].text == "-7");
  CHECK(items[1].text == "1E5");
  CHECK(items[2].text == "123456789012345678901234567890");
  CHECK(items[3].text == "1.0");
  CHECK(items[4].text == "18446744073709551615");
}

TEST_CASE("nesting has an end, in what is kept and in what is dropped") {
  CHECK(parse_json(std::string(100, '[') + std::string(100, ']'), "m.json"));
  const std::string deep(101, '[');
  CHECK(parse_json(deep, "m.json").error()[0].format() ==
        "m.json:1:101: error: nested more than 100 levels deep");
  constexpr std::array<std::string_view, 1> drop{"a.b"};
  CHECK(parse_json("{\"a\":{\"b\":" + deep, "m.json", {.drop = drop}).error()[0].format() ==
        "m.json:1:109: error: nested more than 100 levels deep");
}

TEST_CASE("dropped values leave no trace, wherever they stand") {
  constexpr std::array<std::string_view, 2> drop{"status.images", "metadata.managedFields"};
  const Result<Document> document = parse_json(
      "{\"items\":[{\"status\":{\"images\":[{\"n\":[1,{\"images\":2}]}],\"x\":1},"
      "\"metadata\":{\"managedFields\":\"y\",\"images\":3,\"managedFields\":null}}],\"images\":4}",
      "m.json", {.drop = drop});
  REQUIRE(document);
  const Node& item = document->root.find("items")->items[0];
  CHECK(item.find("status")->entries.size() == 1);
  CHECK(item.find("status")->find("x")->text == "1");
  CHECK(item.find("metadata")->entries.size() == 1);
  CHECK(item.find("metadata")->find("images")->text == "3");
  CHECK(document->root.find("images")->text == "4");
}

TEST_CASE("the inside of a dropped value is not looked at, its end is") {
  constexpr std::array<std::string_view, 1> drop{"a.b"};
  const auto read = [&](const std::string& value) {
    const Result<Document> document =
        parse_json("{\"a\":{\"b\" : " + value + ",\n\"c\":7}}", "m.json", {.drop = drop});
    if (!document) return document.error()[0].format();
    const Node* kept = document->root.find("a")->find("c");
    return fmt::format("{} at {}:{}", kept->text, kept->line, kept->column);
  };
  for (const std::string value :
       {"[]", "{}", "\"\"", "5", "true", "null", R"("a\"]}\\")", R"([{"]":"}"},[["\\"]]])", "[\n]"})
    CHECK(read(value) == (value == "[\n]" ? "7 at 3:5" : "7 at 2:5"));
  CHECK(read("[1}").starts_with("m.json:1:"));
  CHECK(read("[1").starts_with("m.json:2:6: error: unexpected '}'"));
  CHECK(parse_json("{\"a\":{\"b\":[1,2,3],\n\"c\":x}}", "m.json", {.drop = drop})
            .error()[0]
            .format()
            .starts_with("m.json:2:5: error: "));
  CHECK(read("\"x").starts_with("m.json:2:"));
}

TEST_CASE("several JSON texts follow each other, with or without space between") {
  const auto texts = parse_json_texts("{\"a\":1}{\"a\":2}\n\n [3]\n", "m.json");
  REQUIRE(texts);
  REQUIRE(texts->size() == 3);
  CHECK((*texts)[1].root.find("a")->text == "2");
  CHECK((*texts)[1].root.find("a")->column == 13);
  CHECK((*texts)[2].root.line == 3);
  CHECK(
      parse_json_texts("{}\n{\"a\":", "m.json").error()[0].format() ==
      "m.json:2:6: error: the file ends in the middle of a value (the JSON is truncated; write it "
      "again)");
  CHECK(parse_json_texts("{}\n7", "m.json").error()[0].format() ==
        "m.json:2:1: error: is neither a map nor a list (this should be JSON)");
}

TEST_CASE("large objects are read in linear time, duplicates and all") {
  std::string text = "{";
  for (int i = 0; i < 50'000; ++i) text += fmt::format("\"k{}\":1,\n", i);
  CHECK(parse_json(text + "\"z\":1}", "m.json"));
  CHECK(parse_json(text + "\"k77\":1}", "m.json").error()[0].format() ==
        "m.json:50001:1: error: duplicate key 'k77' (first given in line 78)");
}

}  // namespace
}  // namespace base
