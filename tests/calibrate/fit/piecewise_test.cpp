// Latency and bandwidth from points: what was put in comes out, and outliers do not matter.

#include "calibrate/fit/piecewise.hpp"

#include <cmath>
#include <random>

#include "tests/support/catch.hpp"

namespace calibrate::fit {
namespace {

/// Sizes of nccl-tests: 8 bytes to 1 GiB, every power of two.
std::vector<Knot> sampled(const PiecewiseLine& truth, double noise, double outliers,
                          unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> error(0, noise);
  std::bernoulli_distribution wild(outliers);
  std::vector<Knot> points;
  for (double bytes = 8; bytes <= 1073741824.0; bytes *= 2)
    points.push_back(
        {bytes, truth.at(bytes) * std::exp(error(random)) * (wild(random) ? 5.0 : 1.0)});
  return points;
}

TEST_CASE("a line through knots is straight between them and goes on beyond") {
  // 10 us + 1 ns a byte to 1000 bytes, then 2 ns a byte.
  const PiecewiseLine line({{100, 10.1e-6}, {1000, 11e-6}, {2000, 13e-6}});
  REQUIRE(line.segments().size() == 2);
  CHECK(line.segments()[0].alpha == Approx(10e-6));
  CHECK(line.segments()[0].beta == Approx(1e-9));
  CHECK(line.segments()[1].alpha == Approx(9e-6));
  CHECK(line.at(0) == Approx(10e-6));
  CHECK(line.at(500) == Approx(10.5e-6));
  CHECK(line.at(1500) == Approx(12e-6));
  CHECK(line.at(4000) == Approx(17e-6));
  CHECK(PiecewiseLine({{8, 3e-6}}).at(1e9) == 3e-6);
  // Twice the time for 1.5 times the size: alpha is below 0, times are not.
  const PiecewiseLine steep({{1000, 1e-6}, {1500, 2e-6}});
  CHECK(steep.segments()[0].alpha == Approx(-1e-6));
  CHECK(steep.at(500) == Approx(0.5e-6));
}

TEST_CASE("neighbours in the wrong order share their median, which one outlier does not move") {
  std::vector<Knot> knots{{1, 20}, {2, 100}, {4, 21}, {8, 22}, {16, 40}};
  put_in_order(knots);
  // {100, 21} have 60.5 in the middle on no scale that 22 is above; {100, 21, 22} have 22.
  CHECK(knots[0].seconds == 20);
  for (const int i : {1, 2, 3}) CHECK(knots[static_cast<std::size_t>(i)].seconds == Approx(22));
  CHECK(knots[4].seconds == 40);
}

TEST_CASE("a library that changes to a quicker method is no disorder, a disturbed size is") {
  // 80 us up to 16 bytes, 40 us from 32 bytes on, then 1 us for every 32 bytes.
  std::vector<Knot> knots{{8, 80e-6},  {12, 80e-6}, {16, 81e-6},
                          {32, 40e-6}, {64, 41e-6}, {96, 42e-6}};
  CHECK(method_changes(knots) == std::vector<std::size_t>{3});
  const std::vector<Knot> before = knots;
  put_in_order(knots);
  for (std::size_t i = 0; i < knots.size(); ++i) CHECK(knots[i].seconds == before[i].seconds);
  const PiecewiseLine fit = fit_piecewise(knots);
  CHECK(fit.at(12) == Approx(80e-6).epsilon(0.01));
  CHECK(fit.at(64) == Approx(41e-6).epsilon(0.01));
  CHECK(fit.at(24) < 81e-6);  // between them
  CHECK(fit.at(24) > 40e-6);
  CHECK(fit.at(160) == Approx(44e-6).epsilon(0.01));
  // Two sizes of the new method, or one slow size, are none; nor is a fifth less.
  const auto changes = [](const std::vector<double>& seconds) {
    std::vector<Knot> sizes;
    for (const double one : seconds) sizes.push_back({std::exp2(sizes.size()), one});
    return method_changes(sizes).size();
  };
  CHECK(changes({80, 80, 81, 40, 40, 40}) == 1);
  CHECK(changes({80, 80, 81, 80, 40, 40}) == 0);
  CHECK(changes({30, 31, 80, 40, 41, 42, 43}) == 0);
  CHECK(changes({50, 50, 50, 41, 41, 41}) == 0);
}

TEST_CASE("robust figures: the middle, and where 68 % lie") {
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 2, 3}) == Approx(2.5));
  // 0.683 x 10 = 6.83: the seventh of ten by size.
  CHECK(robust_deviation({1, -2, 3, -4, 5, -6, 7, -8, 9, 1000}) == 7);
}

TEST_CASE("one latency and one bandwidth are recovered, whatever the noise, outliers or seed") {
  // 20 us and 100 GB/s. With 3 % noise and 28 sizes, half of which tell either figure, a figure is
  // known within 3 % / sqrt(14) = 0.8 %: 3 of those.
  const PiecewiseLine truth({{8, 20e-6}, {1073741824.0, 20e-6 + 1073741824.0 / 100e9}});
  const double noise = GENERATE(0.0, 0.01, 0.03);
  const double outliers = GENERATE(0.0, 0.1);
  int extra = 0;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    INFO("noise " << noise << " outliers " << outliers << " seed " << seed);
    const PiecewiseLine fit = fit_piecewise(sampled(truth, noise, outliers, seed));
    extra += static_cast<int>(fit.segments().size()) - 1;
    CHECK(fit.at(8) == Approx(20e-6).epsilon(3 * noise + 1e-6));
    CHECK(fit.at(1073741824.0) == Approx(truth.at(1073741824.0)).epsilon(3 * noise + 1e-6));
    const double beta = (fit.at(1073741824.0) - fit.at(16777216.0)) / (1073741824.0 - 16777216.0);
    CHECK(beta == Approx(1 / 100e9).epsilon(3 * noise + 1e-6));
  }
  INFO("noise " << noise << " outliers " << outliers);
  CHECK(extra <= 5);  // ranges that are not there, in 20 fits
}

TEST_CASE("breakpoints are found where latency and bandwidth change") {
  // 8 us and 2 GB/s to 64 KiB, then the protocol changes: 50 GB/s, and beyond 16 MiB 200 GB/s of
  // bandwidth are reached.
  const double at_64k = 8e-6 + 65536 / 2e9;
  const double at_16m = at_64k + (16777216.0 - 65536) / 50e9;
  const PiecewiseLine truth({{8, 8e-6 + 8 / 2e9},
                             {65536, at_64k},
                             {16777216.0, at_16m},
                             {1073741824.0, at_16m + (1073741824.0 - 16777216.0) / 200e9}});
  const double outliers = GENERATE(0.0, 0.1);
  for (unsigned seed = 1; seed <= 20; ++seed) {
    INFO("outliers " << outliers << " seed " << seed);
    const std::vector<Knot> points = sampled(truth, 0.02, outliers, seed);
    const PiecewiseLine fit = fit_piecewise(points);
    std::vector<double> off;
    for (const Knot& point : points)
      off.push_back(std::abs(fit.at(point.bytes) / truth.at(point.bytes) - 1));
    CHECK(median(off) < (outliers > 0 ? 0.03 : 0.02));
    // Within a factor of two there is one size only, so no fit can do better than that.
    const auto near = [&](double bytes) {
      for (const PiecewiseLine::Segment& segment : fit.segments())
        if (segment.from >= bytes / 2 && segment.from <= bytes * 2) return true;
      return false;
    };
    if (outliers == 0) CHECK(near(65536));
    if (outliers == 0) CHECK(near(16777216.0));
  }
}

TEST_CASE("fits of noise never descend, and touch themselves where ranges meet") {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> any(1, 100);
    std::vector<Knot> points;
    for (double bytes = 1; bytes < 1e6; bytes *= 2) points.push_back({bytes, any(random)});
    const PiecewiseLine fit = fit_piecewise(points);
    double before = 0;
    for (const PiecewiseLine::Segment& segment : fit.segments()) {
      CHECK(segment.beta >= 0);
      const double begin = segment.alpha + segment.beta * segment.from;
      if (before > 0) CHECK(begin == Approx(before));
      before = segment.alpha + segment.beta * segment.to;
    }
    CHECK(fit.at(0) <= fit.at(1));
    CHECK(fit.at(2e6) >= fit.at(1e6));
  }
}

TEST_CASE("many sizes share candidate breakpoints, few get one line") {
  const PiecewiseLine truth({{1, 5e-6}, {1e6, 105e-6}});
  std::vector<Knot> points;
  for (double bytes = 1; bytes <= 1000; bytes += 1)
    points.push_back({bytes * 1000, truth.at(bytes * 1000)});
  CHECK(fit_piecewise(points).at(500500) == Approx(truth.at(500500)));
  CHECK(fit_piecewise(std::vector<Knot>{{8, 3e-6}}).at(16) == Approx(3e-6));
  CHECK(fit_piecewise(std::vector<Knot>{{8, 3e-6}, {16, 4e-6}}).at(12) == Approx(3.5e-6));
}

}  // namespace
}  // namespace calibrate::fit
