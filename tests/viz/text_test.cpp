#include <algorithm>
#include <sstream>
#include <string>

#include "tests/support/catch.hpp"
#include "tests/support/golden.hpp"
#include "tests/viz/sample_report.hpp"
#include "viz/terminal.hpp"
#include "viz/viz.hpp"

namespace viz {
namespace {

int widest_line(const std::string& text) {
  std::istringstream lines(text);
  int widest = 0;
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, width_of(line));
  return widest;
}

TEST_CASE("the report is a table of 80 columns") {
  const std::string text = report_text(sample_report(), {});
  check_golden("report.txt", text);
  CHECK(widest_line(text) <= 80);
}

TEST_CASE("a plan that does not fit says so in the first line") {
  const std::string text = report_text(oversized_report(), {});
  check_golden("report_does_not_fit.txt", text);
  CHECK(text.substr(0, text.find('\n')) ==
        "DOES NOT FIT: rank 3 needs 92.5 of 80.0 GiB, 12.5 GiB too much");
}

TEST_CASE("colour is written only when it is asked for") {
  CHECK(report_text(sample_report(), {}).find('\x1b') == std::string::npos);
  const std::string coloured = report_text(sample_report(), {.colour = true});
  CHECK(coloured.find("\x1b[1m") != std::string::npos);
  std::string plain;  // the same text once the codes are taken out
  for (std::size_t i = 0; i < coloured.size(); ++i) {
    if (coloured[i] == '\x1b')
      i = coloured.find('m', i);
    else
      plain += coloured[i];
  }
  CHECK(plain == report_text(sample_report(), {}));
}

TEST_CASE("hostile names stay harmless and aligned") {
  sim::Report report = sample_report();
  const std::string evil =
      "\x1b]0;owned\a\x1b[2J\r\n\xff\xc0\xaf\xe2\x80\xae"
      "evil";
  report.scenario = evil + std::string(500, 'x');
  report.model = evil;
  report.cluster = std::string(300, 'y');
  report.plan = "モデル並列 " + std::string(200, 'z');
  report.measured = sim::Measured{base::Seconds::from_s(1), evil};
  report.bottleneck = evil;
  report.memory.advice = evil;
  report.links[0].name = evil + "ノード一番と二番の間の配線 から スイッチ";
  report.sources[0].name = evil + std::string(200, 'w');
  report.diagnostics[0].message = evil + std::string(300, 'v');
  const std::string text = report_text(report, {});
  CHECK(std::none_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; }));
  CHECK(text.find("\xe2\x80\xae") == std::string::npos);  // right-to-left override
  CHECK(widest_line(text) <= 80);
}

TEST_CASE("an empty report is still a page") {
  const std::string text = report_text(sim::Report{}, {.colour = false, .width = 10});
  CHECK(text.find("step time") != std::string::npos);
  CHECK(text.find("nan") == std::string::npos);
}

TEST_CASE("printable replaces what a terminal obeys and keeps what people write") {
  CHECK(printable("plain ascii") == "plain ascii");
  CHECK(printable("größe 模型 é") == "größe 模型 é");
  CHECK(printable("a\tb\nc") == "a b c");
  CHECK(printable("\x1b[31m") == "?[31m");
  CHECK(printable("\xc2\x9b") == "?");             // C1 control sequence introducer
  CHECK(printable("\xed\xa0\x80") == "???");       // half of a surrogate pair
  CHECK(printable("\xf5\x80\x80\x80") == "????");  // beyond U+10FFFF
  CHECK(printable("\xe2\x82") == "??");            // cut short
}

TEST_CASE("columns are counted as a terminal draws them") {
  CHECK(width_of("abc") == 3);
  CHECK(width_of("模型") == 4);
  CHECK(width_of("e\xcc\x81") == 1);  // e and a combining acute accent
  CHECK(fit("abc", 5) == "abc  ");
  CHECK(fit("abcdef", 4) == "abc…");
  CHECK(fit("模型模型", 4) == "模… ");  // 2 + 1 columns, filled up
}

TEST_CASE("long lines are broken at spaces, long words inside") {
  CHECK(wrap("aa bb cc", 5) == std::vector<std::string>{"aa bb", "cc"});
  CHECK(wrap("aaaaaaa b", 3) == std::vector<std::string>{"aaa", "aaa", "a b"});
  CHECK(wrap("", 10) == std::vector<std::string>{""});
  CHECK(wrap("aa bb", 5) == std::vector<std::string>{"aa bb"});
}

TEST_CASE("bars have eighths of a column and never leave their box") {
  CHECK(bar(0.5, 4) == "██");
  CHECK(bar(0.53125, 4) == "██▏");  // 17 eighths of 32
  CHECK(bar(2.0, 3) == "███");
  CHECK(bar(0, 4).empty());
  CHECK(bar(-1, 4).empty());
  CHECK(bar(std::nan(""), 4).empty());
}

}  // namespace
}  // namespace viz
