// Times of kernels by shape, and how well they predict shapes that they did not see.

#include "calibrate/fit/shape_fit.hpp"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <random>

#include "base/csv.hpp"
#include "calibrate/fit/gemm_fit.hpp"
#include "calibrate/fit/minimise.hpp"
#include "calibrate/gemm_model.hpp"
#include "calibrate/validate_kernels.hpp"
#include "tests/calibrate/support.hpp"
#include "tests/support/published.hpp"

namespace calibrate::fit {
namespace {

using Measured = std::vector<std::pair<base::Kernel, Sample>>;

TEST_CASE("the simplex finds the bottom of a valley") {
  // Rosenbrock's: (1 - x)^2 + 100 (y - x^2)^2 is 0 at (1, 1).
  const auto value = [](const std::vector<double>& at) {
    return std::pow(1 - at[0], 2) + 100 * std::pow(at[1] - at[0] * at[0], 2);
  };
  const std::vector<double> found = minimise(value, {-1.2, 1}, 0.5, 400);
  CHECK(found[0] == Approx(1).margin(1e-3));
  CHECK(found[1] == Approx(1).margin(1e-3));
}

TEST_CASE("a known place says what it knows, near ones its like, far ones the middle") {
  const Kriging kriging({{0.0}, {1.0}, {10.0}}, {1, 3, 2}, {2, 1e-9});
  CHECK(kriging.at({0}) == Approx(1));
  CHECK(kriging.at({1}) == Approx(3));
  CHECK(kriging.at({0.5}) == Approx(2).margin(0.1));
  CHECK(kriging.at({1000}) == Approx(2));
  // With one neighbour at distance d, of weight w = exp(-d/2): 2 + w (3 - 2).
  const Kriging pair({{0.0}, {1.0}}, {1, 3}, {2, 1e-9});
  CHECK(pair.without(0) == Approx(2 + std::exp(-0.5) * (3 - 2)));
}

/// GEMMs of every combination of these dimensions.
std::vector<base::Gemm> grid(const std::vector<std::int64_t>& dimensions) {
  std::vector<base::Gemm> gemms;
  for (const std::int64_t m : dimensions)
    for (const std::int64_t n : dimensions)
      for (const std::int64_t k : dimensions) gemms.push_back({m, n, k});
  return gemms;
}

/// 10 us + 1 Tflop/s + 100 GB/s.
double plain(const base::Kernel& kernel) {
  return 10e-6 + base::flop_of(kernel).count() * 1e-12 + base::bytes_of(kernel).as_double() * 1e-11;
}

Measured measured(const std::vector<base::Gemm>& gemms, double noise, double outliers,
                  unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> error(0, noise);
  std::bernoulli_distribution wild(outliers);
  Measured all;
  for (const base::Gemm& gemm : gemms)
    all.push_back({gemm, {plain(gemm) * std::exp(error(random)) * (wild(random) ? 5.0 : 1.0)}});
  return all;
}

TEST_CASE("launch and rates are recovered, also with a tenth of the times five times too long") {
  const double outliers = GENERATE(0.0, 0.1);
  const std::vector<base::Gemm> gemms = grid({128, 512, 2048, 8192});
  for (unsigned seed = 1; seed <= 5; ++seed) {
    INFO("outliers " << outliers << " seed " << seed);
    const ShapeFit fit(shapes_of(measured(gemms, 0.02, outliers, seed)), fit_plain_form);
    CHECK(fit.form_spread() < 0.06);
    for (const base::Gemm& gemm : grid({256, 1024, 4096})) {
      const Estimate estimate = fit.at(gemm);
      CHECK(estimate.seconds == Approx(plain(gemm)).epsilon(0.06));
      CHECK(estimate.evidence == Evidence::interpolated);
    }
  }
}

TEST_CASE("how well a shape is known follows from what was measured near it") {
  Measured all = measured(grid({128, 1024, 8192}), 0.02, 0, 3);
  all.push_back({base::Gemm{1024, 1024, 1024}, all[13].second});
  all.back().second.seconds *= 1.1;
  const ShapeFit fit(shapes_of(all), fit_plain_form);
  CHECK(fit.shapes().size() == 27);
  const Estimate exact = fit.at(base::Gemm{1024, 1024, 1024});
  CHECK(exact.evidence == Evidence::measured);
  CHECK(exact.seconds == Approx(1.05 * all[13].second.seconds));  // the median of two
  CHECK(fit.at(base::Gemm{1500, 1024, 700}).evidence == Evidence::interpolated);
  CHECK(fit.at(base::Gemm{1024, 1024, 370}).evidence == Evidence::fitted);  // 1.5 doublings away
  const Estimate near = fit.at(base::Gemm{16384, 1024, 1024});
  CHECK(near.evidence == Evidence::fitted);
  CHECK(near.reach == Reach::near);
  const Estimate far = fit.at(base::Gemm{65536, 1024, 1024});
  CHECK(far.evidence == Evidence::model);
  CHECK(far.reach == Reach::far);
  CHECK(far.spread > near.spread);
  CHECK(far.spread >= 0.3);  // three doublings
  CHECK(far.seconds == Approx(plain(base::Gemm{65536, 1024, 1024})).epsilon(0.1));
}

TEST_CASE("waves of tiles on a GPU are recovered") {
  const topology::GpuSpec& gpu = shipped_gpu("H100-SXM5-80GB");
  GemmCurve truth;
  truth.efficiency = 0.8;
  truth.tile_penalty = 8;
  truth.prologue = base::Seconds::from_us(1.3);
  truth.launch = base::Seconds::from_us(4);
  truth.reduction = base::Seconds::from_us(2);
  truth.memory_share = 0.85;
  truth.throttle = 0.1;
  Measured all;
  for (const base::Gemm& gemm : grid({256, 1024, 4096, 16384}))
    all.push_back({gemm, {gemm_time(gemm, gpu, truth).s()}});
  const FormFit form = [&](std::span<const Shape> shapes) { return fit_gemm_form(shapes, gpu); };
  const ShapeFit fit(shapes_of(all), form);
  CHECK(fit.form_spread() < 0.03);
  // 132 SMs: 12 x 11 tiles of 256 x 128 are one wave, one row of tiles more is another.
  const base::Gemm full{3072, 1408, 8192};
  const base::Gemm more{3328, 1408, 8192};
  const double step = gemm_time(more, gpu, truth) / gemm_time(full, gpu, truth);
  CHECK(step > 1.25);  // for 8 % more work
  CHECK(fit.at(more).seconds / fit.at(full).seconds == Approx(step).epsilon(0.05));
}

/// Both passes of an attention are one row of such tables, as long as one in backward.
std::optional<base::Kernel> kernel_of(const KernelRow& row) {
  const KernelsOfRow work = kernels_of(row);
  if (!work.unexpressed.empty() || !work.calls.empty()) return std::nullopt;
  base::Kernel kernel = work.kernels.front();
  if (auto* attention = std::get_if<base::Attention>(&kernel))
    attention->backward = row.op != "attention_fwd";
  return kernel;
}

TEST_CASE("published kernels: half of the shapes predict the others within 3 % in the median") {
  const std::string text = published("kernels.csv");
  if (text.empty()) return;
  const auto table = base::parse_csv(text, "kernels.csv");
  REQUIRE(table);
  const auto rows = read_kernel_rows(*table);
  REQUIRE(rows);
  std::map<std::string, Measured> groups;
  std::map<std::string, std::string> gpu_of;
  for (const KernelRow& row : *rows) {
    if (row.trust == "low") continue;
    const std::string group = fmt::format("{}, {}, {} {}", row.gpu, row.library, row.op, row.dtype);
    if (const auto kernel = kernel_of(row))
      groups[group].push_back({*kernel, {row.time_us * 1e-6}});
    gpu_of[group] = row.gpu;
  }
  std::vector<double> all;
  std::string told;
  for (const auto& [group, times] : groups) {
    const bool gemm = std::holds_alternative<base::Gemm>(times.front().first);
    const FormFit form = [&](std::span<const Shape> shapes) {
      return gemm ? fit_gemm_form(shapes, shipped_gpu(gpu_of[group])) : fit_plain_form(shapes);
    };
    std::vector<double> errors = held_out_errors(shapes_of(times), form);
    if (errors.empty()) continue;
    for (double& error : errors) error = std::abs(error);
    CHECK(median(errors) < 0.08);
    told +=
        fmt::format("{}: {} shapes, median {:.1f} %\n", group, errors.size(), 100 * median(errors));
    all.insert(all.end(), errors.begin(), errors.end());
  }
  INFO(told);
  REQUIRE(all.size() > 3000);
  CHECK(median(all) < 0.03);
}

}  // namespace
}  // namespace calibrate::fit
