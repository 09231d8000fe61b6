// Drifts that were put into synthetic measurements are found, and no others.

#include "calibrate/store/diff.hpp"

#include <cmath>
#include <random>

#include "tests/calibrate/store/support.hpp"

namespace calibrate::store {

namespace {

struct Sweep {
  double factor = 1;    ///< on every time
  double noise = 0.02;  ///< standard deviation, relative
  int samples = 20;     ///< 1: only a mean, as nccl-tests prints
  int sizes = 1;
  std::string algorithm = "";
};

/// 10 us and 10 GB/s, with normal noise.
RunRecords sweep(const Sweep& of, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> noise(1, of.noise);
  RunRecords records;
  for (int i = 0; i < of.sizes; ++i) {
    CollectiveRecord row;
    row.library = "NCCL";
    row.dtype = "float";
    row.algorithm = of.algorithm;
    row.placement.ranks = 8;
    row.bytes = base::Bytes::from_count(std::int64_t{1024} << i);
    const double time = of.factor * (10e-6 + row.bytes.as_double() / 10e9);
    std::vector<double> samples;
    for (int k = 0; k < of.samples; ++k) samples.push_back(time * noise(random));
    row.times = times_of(samples);
    if (of.samples == 1) row.times = Times{.mean = samples[0], .iterations = 20};
    records.collectives.push_back(row);
  }
  return records;
}

ChangedGroup compared(const Sweep& a, const Sweep& b, unsigned seed) {
  const Difference difference = store::difference({sweep(a, seed)}, {sweep(b, seed + 1'000'000)});
  REQUIRE(difference.groups.size() == 1);
  return difference.groups[0];
}

/// Of 1,000 pairs of calibrations, those with this verdict.
int times_judged(Verdict verdict, const Sweep& a, const Sweep& b) {
  int count = 0;
  for (unsigned seed = 1; seed <= 1000; ++seed)
    count += compared(a, b, seed).verdict == verdict ? 1 : 0;
  return count;
}

TEST_CASE("5 % drift with 2 % noise and 20 samples is found, and no drift is none") {
  // Error of a median: 1.2533 x 2 % / sqrt(20) = 0.56 %, of the ratio 0.79 %, widened by Student's
  // t of 19 to 0.95 % at most: 5 % are over five of them.
  CHECK(times_judged(Verdict::slower, {}, {.factor = 1.05}) >= 950);
  CHECK(times_judged(Verdict::faster, {.factor = 1.05}, {}) >= 950);
  CHECK(times_judged(Verdict::same, {}, {}) >= 990);
}

TEST_CASE("many sizes show a drift that one size hides") {
  const Sweep before{.noise = 0.05, .sizes = 20};
  Sweep after = before;
  after.factor = 1.03;
  CHECK(times_judged(Verdict::slower, before, after) >= 950);
  CHECK(times_judged(Verdict::same, before, before) >= 990);
}

TEST_CASE("without spread one size is unsure, and several give their scatter") {
  Sweep before{.samples = 1};
  Sweep after{.factor = 1.2, .samples = 1};
  CHECK(compared(before, after, 1).verdict == Verdict::unsure);
  before.sizes = after.sizes = 20;
  CHECK(times_judged(Verdict::slower, before, after) == 1000);
  CHECK(times_judged(Verdict::same, before, before) >= 990);
}

TEST_CASE("two samples of each are too few to tell a change of 20 % from chance") {
  CHECK(times_judged(Verdict::unsure, {.samples = 2}, {.factor = 1.2, .samples = 2}) >= 900);
}

TEST_CASE("a change below 1 % is none, however sure") {
  CHECK(times_judged(Verdict::same, {.noise = 1e-4}, {.factor = 1.008, .noise = 1e-4}) == 1000);
}

TEST_CASE("what is in one calibration only is not compared") {
  const Difference difference =
      store::difference({sweep({.algorithm = "ring"}, 1), sweep({.sizes = 3}, 1)},
                        {sweep({.algorithm = "tree"}, 2), sweep({.sizes = 5}, 2)});
  REQUIRE(difference.groups.size() == 3);
  CHECK(difference.compared == 1);
  CHECK(difference.groups[0].verdict == Verdict::same);
  CHECK(difference.groups[0].rows.size() == 3);
  CHECK(difference.groups[0].only_in_a == 0);
  CHECK(difference.groups[0].only_in_b == 2);
  CHECK(difference.groups[1].verdict == Verdict::only_in_a);
  CHECK(difference.groups[2].verdict == Verdict::only_in_b);
  CHECK_FALSE(difference.drifted());
}

TEST_CASE("wrong data is not compared, and sizes that go apart are counted") {
  RunRecords before = sweep({.noise = 0.001, .sizes = 4}, 1);
  RunRecords after = sweep({.noise = 0.001, .sizes = 4}, 2);
  for (int i = 0; i < 2; ++i)
    for (double* time : {&after.collectives[i].times.mean, &after.collectives[i].times.p50})
      *time *= i == 0 ? 1.3 : 1 / 1.3;
  after.collectives[3].wrong = 7;
  const Difference difference = store::difference({before}, {after});
  const ChangedGroup& group = difference.groups.at(0);
  REQUIRE(group.rows.size() == 3);
  CHECK(group.only_in_a == 1);
  CHECK(group.verdict == Verdict::same);  // on the whole
  CHECK(group.count(Verdict::slower) == 1);
  CHECK(group.count(Verdict::faster) == 1);
  CHECK(group.rows[0].size == "1024 bytes");
  CHECK(change_of(group.rows[0].drift) == Approx(0.3).epsilon(0.02));
}

TEST_CASE("kernels are compared by shape and variant") {
  KernelRecord kernel;
  kernel.kind = "gemm";
  kernel.kernel = base::Gemm{1024, 1024, 1024};
  kernel.times = times_of({1.00e-3, 1.01e-3, 0.99e-3, 1.00e-3, 1.01e-3, 0.99e-3});
  RunRecords before;
  before.kernels = {kernel};
  kernel.times = times_of({2.00e-3, 2.02e-3, 1.98e-3, 2.00e-3, 2.02e-3, 1.98e-3});
  RunRecords after;
  after.kernels = {kernel};
  const Difference difference = store::difference({before}, {after});
  CHECK(difference.slower == 1);
  CHECK(change_of(difference.drift) == Approx(1.0));
  CHECK(difference.groups.at(0).rows.at(0).size ==
        "gemm m=1024 n=1024 k=1024 batch=1 dtype=bf16 output=bf16 adds=0");
}

/// An all-reduce of 1 KiB beside a product; alone 10 us and 1 ms. `beside` and `kernel`: means of
/// what they take at once, in us, with a deviation of 2 % of 100 samples.
RunRecords at_once(double beside, double kernel) {
  const auto times = [](double us) {
    return Times{.mean = us * 1e-6, .p50 = 1e-6, .deviation = us * 2e-8, .iterations = 100};
  };
  RunRecords run = sweep({}, 1);
  KernelRecord product;
  product.kind = "gemm";
  product.library = "cuBLASLt";
  product.kernel = base::Gemm{64, 64, 64};
  product.times = times(1000);
  run.kernels = {product};
  run.overlaps = {{0, 0, times(beside), times(kernel)}};
  return run;
}

TEST_CASE("collectives beside kernels are compared in the mean, both of them, and no other pair") {
  // Beside the product the collective takes 15 us, then 18: 20 % slower. The error of each mean is
  // 2 % / sqrt(100) = 0.2 %. The product takes what it took, and so does either alone. What the
  // middle samples took (1 us) does not count.
  const Difference difference = store::difference({at_once(15, 1500)}, {at_once(18, 1500)});
  REQUIRE(difference.groups.size() == 4);
  CHECK(difference.compared == 4);
  CHECK(difference.slower == 1);
  const ChangedGroup& collective = difference.groups[2];
  CHECK(collective.of.what == "all_reduce");
  REQUIRE(collective.beside);
  CHECK(collective.beside->what == "gemm");
  CHECK(collective.verdict == Verdict::slower);
  CHECK(change_of(collective.drift) == Approx(0.2));
  CHECK(collective.error.value() == Approx(std::hypot(0.002, 0.002)).epsilon(0.05));
  CHECK(collective.rows.at(0).before == Approx(15e-6));
  const ChangedGroup& kernel = difference.groups[3];
  CHECK(kernel.of.what == "gemm");
  REQUIRE(kernel.beside);
  CHECK(kernel.beside->what == "all_reduce");
  CHECK(kernel.verdict == Verdict::same);
  CHECK(kernel.rows.at(0).size ==
        "gemm m=64 n=64 k=64 batch=1 dtype=bf16 output=bf16 adds=0, beside 1024 bytes");

  RunRecords other = at_once(15, 1500);
  other.kernels[0].library = "another";
  const Difference apart = store::difference({at_once(15, 1500)}, {other});
  CHECK(apart.compared == 1);  // the collective alone
  RunRecords wrong = at_once(18, 1500);
  wrong.collectives[0].wrong = 1;
  CHECK(store::difference({at_once(15, 1500)}, {wrong}).compared == 1);  // the kernel alone
}

}  // namespace

}  // namespace calibrate::store
