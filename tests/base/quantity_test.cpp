#include "base/quantity.hpp"

#include <fmt/format.h>

#include <string>

#include "tests/support/catch.hpp"

namespace base {
namespace {

std::string words(const QuantityError& error) {
  return error.hint.empty() ? error.message : fmt::format("{} ({})", error.message, error.hint);
}

TEST_CASE("quantities as people write them") {
  CHECK(parse_bytes("80 GiB")->count() == 85899345920);
  CHECK(parse_bytes("80GiB")->count() == 85899345920);
  CHECK(parse_bytes("  25 MB ")->count() == 25000000);
  CHECK(parse_bytes("1.5kB")->count() == 1500);
  CHECK(parse_bytes("512 B")->count() == 512);
  CHECK(parse_bytes("1e3 B")->count() == 1000);
  CHECK(parse_bytes("0 TiB")->count() == 0);
  CHECK(parse_bytes_per_second("400 Gbit/s")->gbit() == Approx(400));
  CHECK(parse_bytes_per_second("450 GB/s")->gbyte() == Approx(450));
  CHECK(parse_bytes_per_second("3.35 TB/s")->gbyte() == Approx(3350));
  CHECK(parse_bytes_per_second("64 GiB/s")->byte() == 68719476736.0);
  CHECK(parse_seconds("5us")->us() == Approx(5));
  CHECK(parse_seconds("800 ns")->us() == Approx(0.8));
  CHECK(parse_seconds("3 min")->s() == 180);
  CHECK(parse_seconds("1 h")->s() == 3600);
  CHECK(parse_flop_per_second("1.3 PFLOP/s")->tflops() == Approx(1300));
  CHECK(parse_flop_per_second("19.5 GFLOP/s")->tflops() == Approx(0.0195));
}

TEST_CASE("a quantity that is none says what is wrong") {
  struct Row {
    std::string text;
    std::string want;
  };
  const Row row = GENERATE(values<Row>({
      {"", "is not a number with a unit: '' (for example 5 us)"},
      {"fast", "is not a number with a unit: 'fast' (for example 5 us)"},
      {"5", "has no unit: '5' (for example 5 us)"},
      {"5 ", "has no unit: '5' (for example 5 us)"},
      {"-5 us", "is negative: '-5 us'"},
      {"inf s", "is not a number with a unit: 'inf s' (for example 5 us)"},
      {"nan s", "is not a number with a unit: 'nan s' (for example 5 us)"},
      {"1e999 s", "is out of range: '1e999 s'"},
      {"1e308 h", "is out of range: '1e308 h'"},
      {"5 US", "has the unknown unit 'US' (one of us, ms, s, ns, min, h)"},
      {"5 us us", "has the unknown unit 'us us' (one of us, ms, s, ns, min, h)"},
      {"1,5 s", "has the unknown unit ',5 s' (one of us, ms, s, ns, min, h)"},
      {"0x10 s", "has the unknown unit 'x10 s' (one of us, ms, s, ns, min, h)"},
      {"+5 s", "is not a number with a unit: '+5 s' (for example 5 us)"},
  }));
  CAPTURE(row.text);
  const Quantity<Seconds> read = parse_seconds(row.text);
  REQUIRE_FALSE(read);
  CHECK(words(read.error()) == row.want);
}

TEST_CASE("rates and times that no machine has are out of range") {
  const auto told = [](const auto& read) {
    return read ? std::string("fine") : words(read.error());
  };
  CHECK(told(parse_bytes_per_second("0 B/s")) == "fine");
  CHECK(told(parse_bytes_per_second("1 B/s")) == "fine");
  CHECK(told(parse_bytes_per_second("0.9 B/s")) == "is out of range: '0.9 B/s'");
  CHECK(told(parse_bytes_per_second("1e-300 GB/s")) == "is out of range: '1e-300 GB/s'");
  CHECK(told(parse_bytes_per_second("1e10 GB/s")) == "is out of range: '1e10 GB/s'");
  CHECK(told(parse_seconds("1e-12 s")) == "fine");
  CHECK(told(parse_seconds("1e9 s")) == "fine");
  CHECK(told(parse_seconds("1e6 h")) == "is out of range: '1e6 h'");
  CHECK(told(parse_flop_per_second("1e-300 GFLOP/s")) == "is out of range: '1e-300 GFLOP/s'");
  CHECK(told(parse_flop_per_second("1e12 TFLOP/s")) == "fine");
  CHECK(told(parse_flop_per_second("1e10 PFLOP/s")) == "is out of range: '1e10 PFLOP/s'");
}

TEST_CASE("bytes end at 63 bits and zero has no sign") {
  CHECK(words(parse_bytes("1e7 TiB").error()) == "is out of range: '1e7 TiB'");
  CHECK(parse_bytes("8e6 TiB")->count() > 0);
  CHECK(words(parse_bytes_per_second("1e300 TB/s").error()) == "is out of range: '1e300 TB/s'");
  CHECK(std::signbit(parse_seconds("-0 s")->s()) == false);
}

TEST_CASE("what is printed has three digits and no exponent") {
  CHECK(format_bytes(Bytes::from_count(17)) == "17 B");
  CHECK(format_bytes(Bytes::from_count(1023)) == "1023 B");
  CHECK(format_bytes(Bytes::from_count(1024)) == "1.00 KiB");
  CHECK(format_bytes(Bytes::from_gib(1.5)) == "1.50 GiB");
  CHECK(format_bytes(Bytes::from_mib(25)) == "25.0 MiB");
  CHECK(format_bytes(Bytes::from_mib(9.996)) == "10.0 MiB");
  CHECK(format_bytes(Bytes::from_mib(99.97)) == "100 MiB");
  CHECK(format_bytes(Bytes::from_mib(1023.8)) == "1.00 GiB");
  CHECK(format_bytes(Bytes::from_gib(5000 * 1024.0)) == "5000 TiB");
  CHECK(format_seconds(Seconds::from_s(0)) == "0 s");
  CHECK(format_seconds(Seconds::from_s(1.234)) == "1.23 s");
  CHECK(format_seconds(Seconds::from_s(12345)) == "12345 s");
  CHECK(format_seconds(Seconds::from_ms(999.9)) == "1 s");
  CHECK(format_seconds(Seconds::from_ms(4.56)) == "4.56 ms");
  CHECK(format_seconds(Seconds::from_us(999.9)) == "1 ms");
  CHECK(format_seconds(Seconds::from_us(7.89)) == "7.89 us");
  CHECK(format_seconds(Seconds::from_us(0.5)) == "0.5 us");
  CHECK(format_gbit(BytesPerSecond::from_gbit(400)) == "400 Gbit/s");
  CHECK(format_gbit(BytesPerSecond::from_gbit(25600)) == "25600 Gbit/s");
  CHECK(format_gbyte(BytesPerSecond::from_gbyte(450.25)) == "450.2 GB/s");
  CHECK(format_count(8.03e9) == "8.03 B");
  CHECK(format_count(70.6e9) == "70.6 B");
  CHECK(format_count(405e6) == "405 M");
  CHECK(format_count(999.6e6) == "1.00 B");
  CHECK(format_count(17) == "17");
}

}  // namespace
}  // namespace base
