#include "base/units.hpp"

#include "tests/support/catch.hpp"

namespace base {
namespace {

TEST_CASE("decimal and binary units, bits and bytes are kept apart") {
  CHECK(Bytes::from_gib(1).count() == 1073741824);
  CHECK(Bytes::from_gb(1).count() == 1000000000);
  CHECK(Bytes::from_mib(1.5).count() == 1572864);
  CHECK(Bytes::from_kib(2).count() == 2048);
  CHECK(Bytes::from_mb(0.5).count() == 500000);
  CHECK(BytesPerSecond::from_gbit(400) == BytesPerSecond::from_gbyte(50));
  CHECK(BytesPerSecond::from_gbyte(1).byte() == 1e9);
  CHECK(FlopPerSecond::from_tflops(989).flops() == 989e12);
  CHECK(Seconds::from_ms(1).s() == 1e-3);
  CHECK(Seconds::from_us(1).ms() == Approx(1e-3));
}

TEST_CASE("only divisions with a meaning exist, and they mean it") {
  // 256 MiB over 400 Gbit/s: 268,435,456 B / 50e9 B/s = 5.36870912 ms.
  CHECK((Bytes::from_mib(256) / BytesPerSecond::from_gbit(400)).ms() == Approx(5.36870912));
  // 2 * 4096^3 flop at 989 TFLOP/s: 137,438,953,472 / 989e12 s = 138.97 us.
  CHECK((Flop::from_count(2.0 * 4096 * 4096 * 4096) / FlopPerSecond::from_tflops(989)).us() ==
        Approx(138.967));
  CHECK((Flop::from_count(5e12) / Seconds::from_s(2)).tflops() == Approx(2.5));
  CHECK((Bytes::from_gb(10) / Seconds::from_s(4)).gbyte() == Approx(2.5));
  CHECK(Seconds::from_s(3) / Seconds::from_s(2) == 1.5);
  CHECK(Bytes::from_count(3) / Bytes::from_count(2) == 1.5);
}

TEST_CASE("arithmetic is that of the numbers") {
  Seconds time = Seconds::from_s(1) + Seconds::from_s(2) * 3 - 0.5 * Seconds::from_s(4);
  CHECK(time.s() == 5);
  time += Seconds::from_s(1);
  time -= Seconds::from_s(3);
  CHECK(time == Seconds::from_s(3));
  CHECK((time / 2).s() == 1.5);
  CHECK(Seconds::infinity() > Seconds::from_s(1e300));
  Bytes bytes = 3 * Bytes::from_count(5) - Bytes::from_count(1) * 2;
  bytes += Bytes::from_count(10);
  bytes -= Bytes::from_count(3);
  CHECK(bytes.count() == 20);
  CHECK((Flop::from_count(3) * 2 - Flop::from_count(1) + 2 * Flop::from_count(1)).count() == 7);
}

TEST_CASE("the largest of equal parts is rounded up") {
  for (std::int64_t bytes = 0; bytes <= 40; ++bytes)
    for (std::int64_t parts = 1; parts <= 12; ++parts) {
      std::int64_t part = 0;
      while (part * parts < bytes) ++part;
      CHECK(ceil_div(Bytes::from_count(bytes), parts).count() == part);
    }
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CHECK(ceil_div(Bytes::from_count(most), 2).count() == most / 2 + 1);
}

TEST_CASE("amounts beyond 63 bits become the largest one") {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CHECK(Bytes::from_double(1e30).count() == most);
  CHECK(Bytes::from_double(-1e30).count() == -most - 1);
  CHECK(Bytes::from_double(9223372036854774784.0).count() == 9223372036854774784);
  CHECK(Bytes::from_double(2.5).count() == 3);
  CHECK(Bytes::from_double(-0.4).count() == 0);
}

}  // namespace
}  // namespace base
