#include "base/csv.hpp"

#include "tests/support/catch.hpp"

namespace base {
namespace {

std::string text_of(const Diagnostics& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) text += diagnostic.format() + "\n";
  return text;
}

TEST_CASE("quoted fields hold commas, quotes and line ends, and lines stay counted") {
  const Result<Csv> table =
      parse_csv("\xEF\xBB\xBFid,note\r\na,\"x, \"\"y\"\"\nz\"\r\n\r\nb,\n", "t.csv");
  REQUIRE(table);
  CHECK(table->columns == std::vector<std::string>{"id", "note"});
  REQUIRE(table->rows.size() == 2);
  CHECK(table->rows[0].fields == std::vector<std::string>{"a", "x, \"y\"\nz"});
  CHECK(table->rows[0].line == 2);
  CHECK(table->rows[1].fields == std::vector<std::string>{"b", ""});
  CHECK(table->rows[1].line == 5);  // the quoted field took lines 2 and 3, line 4 is empty
}

TEST_CASE("a table without a line end at its end keeps its last row") {
  const Result<Csv> table = parse_csv("a,b\n1,2", "t.csv");
  REQUIRE(table);
  CHECK(table->rows.size() == 1);
}

TEST_CASE("mistakes of a table are told with their line") {
  struct Row {
    const char* text;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"", "t.csv: error: the table is empty (the first line names the columns)\n"},
      {"a,b\n1\n1,2,3\n",
       "t.csv:2:1: error: the row has 1 fields, but the header has 2\n"
       "t.csv:3:1: error: the row has 3 fields, but the header has 2\n"},
      {"a,b,a\n", "t.csv:1:1: error: two columns are named 'a'\n"},
      {"a\nx\n\"y", "t.csv:3:1: error: a quote is never closed\n"},
      {"a\n\"y\"z\n",
       "t.csv:2:1: error: text after a closing quote (write a quote inside a quoted field "
       "twice)\n"},
  }));
  const Result<Csv> table = parse_csv(row.text, "t.csv");
  REQUIRE_FALSE(table);
  CHECK(text_of(table.error()) == row.want);
}

TEST_CASE("missing columns are named with the nearest one, cells that are no number with theirs") {
  const Result<Csv> table = parse_csv("id,time_ms,n\nx,fast,1.5\n", "t.csv");
  REQUIRE(table);
  CHECK(text_of(missing_columns(*table, {"id", "time_us"})) ==
        "t.csv:1:1: error: the column 'time_us' is missing (did you mean 'time_ms'?)\n");
  Diagnostics problems;
  const CsvRow row(*table, table->rows[0], problems);
  CHECK(row.text("id") == "x");
  CHECK(row.text("absent").empty());
  CHECK_FALSE(row.number("time_ms"));
  CHECK(row.number("n") == 1.5);
  CHECK_FALSE(row.whole("n"));
  CHECK(text_of(problems) ==
        "t.csv:2:1: error: 'time_ms' is not a number: 'fast'\n"
        "t.csv:2:1: error: 'n' is not a whole number: '1.5'\n");
}

}  // namespace
}  // namespace base
