#include <fmt/format.h>

#include <array>
#include <string>

#include "base/document.hpp"
#include "tests/support/catch.hpp"

namespace base {
namespace {

std::string first_error(const std::string& text) {
  const Result<Document> document = parse_yaml(text, "c.yaml");
  return document ? "no error" : document.error()[0].format();
}

TEST_CASE("YAML that is refused says where and why") {
  struct Row {
    std::string what;
    std::string text;
    std::string want;
  };
  using namespace std::string_literals;
  const Row row = GENERATE(values<Row>({
      {"duplicate key", "a: 1\nb: 2\na: 3\n",
       "3:1: error: duplicate key 'a' (first given in line 1)"},
      {"duplicate key in flow", "m: {b: 1, b: 2}\n",
       "1:11: error: duplicate key 'b' (first given in line 1)"},
      {"merge key", "x: &x {a: 1}\ny:\n  <<: *x\n",
       "3:3: error: merge keys ('<<') are not supported (write the keys out)"},
      {"tag on scalar", "a: !!str 5\n",
       "1:4: error: tag 'tag:yaml.org,2002:str' is not supported (remove it)"},
      {"tag on map", "a: !!map {b: 1}\n",
       "1:4: error: tag 'tag:yaml.org,2002:map' is not supported (remove it)"},
      {"tag on list", "a: !x [1]\n", "1:4: error: tag '!x' is not supported (remove it)"},
      {"key is a list", "? [a]\n: 1\n", "1:3: error: a key must be a word"},
      {"two documents", "a: 1\n---\nb: 2\n",
       "3:1: error: a second YAML document starts here (give one document per file)"},
      {"after the document end", "a: 1\n...\nb: 2\n",
       "3:1: error: a second YAML document starts here (give one document per file)"},
      {"tab as indentation", "a: 1\n\tb: 2\n",
       "2:1: error: illegal tab when looking for indentation (indent with spaces, not tabs)"},
      {"tab below a key", "a:\n\tb: 1\n",
       "2:3: error: illegal map value (indent with spaces, not tabs)"},
      {"unbalanced bracket", "a: [1, 2\n",
       "2:1: error: end of sequence flow not found (this is not valid YAML)"},
      {"stray bracket", "a: 1\n]\n", "2:1: error: illegal flow end (this is not valid YAML)"},
      {"open double quote", "a: 1\nb: \"two\nc: 3\n",
       "2:4: error: this text in quotes does not end (add the closing quote)"},
      {"open single quote", "b: 'it''s\n",
       "1:4: error: this text in quotes does not end (add the closing quote)"},
      {"open quote with anchor", "b: &q \"x\n",
       "1:7: error: this text in quotes does not end (add the closing quote)"},
      {"colon twice", "a: b: c\n", "1:5: error: illegal map value (this is not valid YAML)"},
      {"unknown anchor", "a: *x\n",
       "1:4: error: the referenced anchor is not defined (this is not valid YAML)"},
      {"alias to itself", "a: &x [*x]\n", "1:8: error: alias to a value that is not finished"},
      {"NUL byte", "a: x\0y\n"s,
       "1:5: error: control character 0x00 (save the file as UTF-8 text)"},
      {"byte 4, yaml-cpp's end of file", "a: 1\nb: \x04 2\n",
       "2:4: error: control character 0x04 (save the file as UTF-8 text)"},
      {"Latin-1",
       "name: gr\xf6\xdf"
       "e\n",
       "1:9: error: byte 0xf6 is not UTF-8 text (save the file as UTF-8 text)"},
      {"overlong UTF-8", "a: \xc0\xaf\n",
       "1:4: error: byte 0xc0 is not UTF-8 text (save the file as UTF-8 text)"},
      {"surrogate", "a: \xed\xa0\x80\n",
       "1:4: error: byte 0xed is not UTF-8 text (save the file as UTF-8 text)"},
      {"cut character", "a: \xe2\x82",
       "1:4: error: byte 0xe2 is not UTF-8 text (save the file as UTF-8 text)"},
      {"UTF-16", "\xFE\xFF\0a\0:"s,
       "1:1: error: byte 0xfe is not UTF-8 text (save the file as UTF-8 text)"},
      {"after wide characters", "größe: {ü: 1, ü: 2}\n",
       "1:15: error: duplicate key 'ü' (first given in line 1)"},
  }));
  CAPTURE(row.what);
  CHECK(first_error(row.text) == "c.yaml:" + row.want);
}

TEST_CASE("nesting has an end") {
  CHECK(parse_yaml(std::string(50, '[') + std::string(50, ']'), "c.yaml"));
  CHECK(first_error(std::string(101, '[') + std::string(101, ']')) ==
        "c.yaml:1:101: error: nested more than 100 levels deep");
  std::string deep;
  for (std::size_t i = 0; i < 200; ++i) deep += std::string(i, ' ') + "a:\n";
  CHECK(first_error(deep) == "c.yaml:101:101: error: nested more than 100 levels deep");
}

TEST_CASE("aliases copy, and cannot multiply without end") {
  const Result<Document> copied = parse_yaml("a: &x {b: [1, 2]}\nc: *x\n", "c.yaml");
  REQUIRE(copied);
  const Node* copy = copied->root.find("c");
  REQUIRE(copy != nullptr);
  CHECK((copy->line == 2 && copy->column == 4));
  CHECK(copy->find("b")->items[1].text == "2");

  std::string bomb = fmt::format("a0: &a0 [{:x>500}]\n", "");
  for (int level = 1; level < 12; ++level)
    bomb +=
        fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", level, level - 1);
  CHECK(first_error(bomb).ends_with("error: more than 1000000 values (split the file)"));
}

TEST_CASE("places survive line ends, byte order marks and wide characters") {
  const Result<Document> document = parse_yaml(
      "\xEF\xBB\xBF"
      "a: 1\r\n\"größe\": {x: ä, y: 'ö'}\r\n",
      "c.yaml");
  REQUIRE(document);
  const Node& root = document->root;
  REQUIRE(root.entries.size() == 2);
  CHECK(root.entries[0].key == "a");
  CHECK((root.entries[0].line == 1 && root.entries[0].column == 1));
  CHECK(root.entries[0].value.text == "1");
  CHECK(root.entries[1].key == "größe");
  const Node* y = root.entries[1].value.find("y");
  REQUIRE(y != nullptr);
  CHECK(y->text == "ö");
  CHECK((y->line == 2 && y->column == 20));
}

TEST_CASE("nothing, null and empty text are three things") {
  const Result<Document> document =
      parse_yaml("a:\nb: ~\nc: null\nd: ''\ne: 'null'\nf: Null\n", "c.yaml");
  REQUIRE(document);
  for (const char* key : {"a", "b", "c", "f"})
    CHECK(document->root.find(key)->kind == Node::Kind::null);
  CHECK(document->root.find("a")->line == 1);
  for (const char* key : {"d", "e"}) CHECK(document->root.find(key)->kind == Node::Kind::scalar);
  for (const char* text : {"", "\n", "# nothing\n", "---\n", "---\n...\n"}) {
    const Result<Document> empty = parse_yaml(text, "c.yaml");
    REQUIRE(empty);
    CHECK(empty->root.kind == Node::Kind::null);
  }
}

TEST_CASE("text keeps its quotes in mind") {
  const Result<Document> document =
      parse_yaml("a: 8\nb: '8'\nc: \"a\\nb\\u00e9\"\nd: |\n  x\n  y\ne: 'it''s'\n", "c.yaml");
  REQUIRE(document);
  CHECK_FALSE(document->root.find("a")->quoted);
  CHECK(document->root.find("b")->quoted);
  CHECK(document->root.find("c")->text == "a\nbé");
  CHECK(document->root.find("d")->text == "x\ny\n");
  CHECK(document->root.find("e")->text == "it's");
}

TEST_CASE("large maps are read in linear time, duplicates and all") {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += fmt::format("key{}: 1\n", i);
  CHECK(parse_yaml(text, "c.yaml"));
  CHECK(first_error(text + "key77: 2\n") ==
        "c.yaml:50001:1: error: duplicate key 'key77' (first given in line 78)");
}

TEST_CASE("several YAML documents are read in turn, without what is dropped") {
  constexpr std::array<std::string_view, 1> drop{"status.images"};
  const auto texts = parse_yaml_texts("a: 1\n---\nstatus:\n  images: [x, {y: z}]\n  kept: 2\n---\n",
                                      "m.yaml", {drop});
  REQUIRE(texts);
  REQUIRE(texts->size() == 3);
  const Node* status = (*texts)[1].root.find("status");
  REQUIRE(status->entries.size() == 1);
  CHECK(status->find("kept")->line == 5);
  CHECK((*texts)[2].root.kind == Node::Kind::null);
  const auto wrong = parse_yaml_texts("a: 1\n---\na: 1\na: 2\n", "m.yaml");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error()[0].format() ==
        "m.yaml:4:1: error: duplicate key 'a' (first given in line 3)");
}

}  // namespace
}  // namespace base
