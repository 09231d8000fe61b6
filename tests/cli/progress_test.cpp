#include "cli/progress.hpp"

#include <limits>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

namespace cli {
namespace {

/// A terminal and a clock for the test to turn.
struct Fake {
  double now_s = 100;
  std::vector<std::string> written;

  Progress::Device device() {
    return {[this](std::string_view text) { written.emplace_back(text); },
            [this] { return now_s; }};
  }
};

TEST_CASE("progress says nothing in the first two seconds") {
  Fake fake;
  {
    Progress progress("simulating", fake.device());
    fake.now_s = 101.9;
    progress.update(0.5);
  }
  CHECK(fake.written.empty());
}

TEST_CASE("progress tells the share done and the time left, then wipes itself off") {
  Fake fake;
  {
    Progress progress("simulating", fake.device());
    fake.now_s = 103;
    progress.update(0.25);  // 3 s for a quarter: 9 s for the rest
    REQUIRE(fake.written.size() == 1);
    CHECK(fake.written[0] == "\r\x1b[Ksimulating [██████                  ] 25 %, 9 s left");
  }
  REQUIRE(fake.written.size() == 2);
  CHECK(fake.written[1] == "\r\x1b[K");
}

TEST_CASE("progress is drawn at most ten times a second") {
  Fake fake;
  Progress progress("simulating", fake.device());
  for (int i = 0; i <= 100; ++i) {  // one second, from 102 to 103
    fake.now_s = 102 + i / 100.0;
    progress.update(0.5);
  }
  CHECK(fake.written.size() >= 9);
  CHECK(fake.written.size() <= 11);
}

TEST_CASE("long rests are told in minutes and hours, nonsense as nothing done") {
  Fake fake;
  Progress progress("x", fake.device());
  fake.now_s = 110;
  progress.update(0.1);  // 90 s left
  fake.now_s = 111;
  progress.update(1e-3);  // 11 s / 0.001 = 3.1 h
  fake.now_s = 112;
  progress.update(std::numeric_limits<double>::quiet_NaN());
  fake.now_s = 113;
  progress.update(7);
  REQUIRE(fake.written.size() == 4);
  CHECK(fake.written[0].ends_with("10 %, 2 min left"));
  CHECK(fake.written[1].ends_with("0 %, 3.1 h left"));
  CHECK(fake.written[2].ends_with(" 0 %"));
  CHECK(fake.written[3].ends_with("100 %, 0 s left"));
}

TEST_CASE("without a terminal there is no progress") {
  Progress progress("simulating", Progress::Device{});
  progress.update(0.5);
  SUCCEED("nothing was called");
}

}  // namespace
}  // namespace cli
