// How well a size is known by what was measured near it.

#include "calibrate/fit/size_fit.hpp"

#include <cmath>
#include <random>

#include "tests/support/catch.hpp"

namespace calibrate::fit {
namespace {

using Measured = std::map<double, std::vector<Sample>>;

/// 10 us + 1 ns a byte at 1 KiB, 2 KiB, … 1 MiB.
Measured clean() {
  Measured measured;
  for (double bytes = 1024; bytes <= 1048576; bytes *= 2)
    measured[bytes] = {{10e-6 + bytes * 1e-9}};
  return measured;
}

TEST_CASE("a measured size takes its median and the spread of its repeats") {
  Measured measured = clean();
  measured[4096] = {{14e-6}, {15e-6}, {13e-6}};
  measured[8192] = {{18e-6, 0.07}};
  const SizeFit fit(measured);
  const Estimate repeated = fit.at(4096);
  CHECK(repeated.seconds == Approx(14e-6));
  CHECK(repeated.evidence == Evidence::measured);
  CHECK(repeated.reach == Reach::inside);
  CHECK(repeated.spread == Approx(1.0 / 14));  // sqrt((1/14)^2 + (1/14)^2) over 3 - 1
  CHECK(fit.at(8192).spread == Approx(0.07));
  CHECK(fit.at(1024).spread == Approx(0.05));  // measured once, and nothing said of it
}

TEST_CASE("sizes in the wrong order are brought in order, and are less sure for it") {
  Measured measured = clean();
  measured[2048] = {{60e-6, 0.02}};
  const SizeFit fit(measured);
  // 60 and 14.096 us share a median, until the sizes above it are as large: the middle of
  // 60, 14.096, 18.192 us is 18.192 us.
  CHECK(fit.at(2048).seconds == Approx(18.192e-6));
  CHECK(fit.at(2048).spread == Approx(std::hypot(0.02, std::log(60 / 18.192))));
  CHECK(fit.at(65536).seconds == Approx(75.536e-6));
}

TEST_CASE("between sizes whichever predicts the held-out ones better answers") {
  const SizeFit exact(clean());
  REQUIRE(exact.held_out());
  CHECK(exact.held_out()->best() < 1e-9);
  const Estimate between = exact.at(3000);
  CHECK(between.seconds == Approx(13e-6));
  CHECK(between.evidence == exact.between());

  // With noise a fit of few ranges is better than the noisy neighbours.
  std::mt19937 random(7);
  std::normal_distribution<double> error(0, 0.1);
  Measured noisy = clean();
  for (auto& [bytes, samples] : noisy) samples[0].seconds *= std::exp(error(random));
  const SizeFit smooth(noisy);
  CHECK(smooth.held_out()->fitted < smooth.held_out()->interpolated);
  CHECK(smooth.at(3000).evidence == Evidence::fitted);
  CHECK(smooth.at(3000).spread > 0.05);
  CHECK(smooth.residual_spread() == Approx(0.1).margin(0.06));
}

TEST_CASE("twice beyond the sizes is fitted, farther is a model that knows less and less") {
  const SizeFit fit(clean());
  const Estimate near = fit.at(2 * 1048576.0);
  CHECK(near.evidence == Evidence::fitted);
  CHECK(near.reach == Reach::near);
  CHECK(near.seconds == Approx(10e-6 + 2 * 1048576e-9));
  CHECK(near.spread == Approx(std::hypot(0.05, 0.1)));
  const Estimate far = fit.at(8 * 1048576.0);
  CHECK(far.evidence == Evidence::model);
  CHECK(far.reach == Reach::far);
  CHECK(far.spread == Approx(std::hypot(0.05, 0.3)));
  CHECK(fit.at(1e18).spread == Approx(std::hypot(0.05, 0.5)));
  CHECK(fit.at(512).evidence == Evidence::fitted);
  CHECK(fit.at(512).seconds == Approx(10e-6 + 512e-9));
  CHECK(fit.at(0).evidence == Evidence::model);
  CHECK(fit.at(0).seconds == Approx(10e-6));
}

TEST_CASE("a size far from its neighbours is less sure than one among them") {
  Measured measured = clean();
  measured[1073741824.0] = {{10e-6 + 1073741824e-9}};
  const SizeFit fit(measured);
  CHECK(fit.at(33554432.0).spread > fit.at(3000).spread);
  const SizeFit two({{1024, {{20e-6}}}, {1048576, {{40e-6}}}});
  CHECK_FALSE(two.held_out());
  // 32 KiB is 5 doublings from either: 5 % each.
  CHECK(two.at(32768).spread == Approx(std::hypot(0.05, 0.25)));
}

TEST_CASE(
    "sizes on both sides of a change of method keep their times, one between them is unsure") {
  Measured measured;
  for (double bytes = 64; bytes <= 1024; bytes *= 2) measured[bytes] = {{80e-6}};
  for (double bytes = 2048; bytes <= 65536; bytes *= 2) measured[bytes] = {{40e-6}};
  const SizeFit fit(measured);
  CHECK(fit.at(64).seconds == Approx(80e-6));
  CHECK(fit.at(512).seconds == Approx(80e-6));
  CHECK(fit.at(2048).seconds == Approx(40e-6));
  const Estimate between = fit.at(1536);
  CHECK(between.seconds == Approx(60e-6));
  CHECK(between.spread >= std::log(2.0) / 2);
}

TEST_CASE("more bytes never take less time, whatever noise was measured") {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    std::mt19937 random(seed);
    std::lognormal_distribution<double> any(-10, 1);
    Measured measured;
    for (double bytes = 64; bytes < 1e7; bytes *= 3) measured[bytes] = {{any(random)}};
    const SizeFit fit(measured);
    double before = 0;
    for (double bytes = 1; bytes < 1e9; bytes *= 1.07) {
      const double now = fit.at(bytes).seconds;
      INFO("seed " << seed << " bytes " << bytes);
      CHECK(now >= before * (1 - 1e-12));
      before = now;
    }
  }
}

}  // namespace
}  // namespace calibrate::fit
