#pragma once

#include <cmath>
#include <compare>
#include <cstdint>
#include <limits>

/// Quantities with units. Each type has named constructors, so GB (10^9) and GiB (2^30), Gbit and
/// GB cannot be mixed up, and only the divisions that make physical sense compile.
namespace base {

/// Time. Stored in seconds as a double.
class Seconds {
 public:
  constexpr Seconds() = default;
  static constexpr Seconds from_s(double v) { return Seconds(v); }
  static constexpr Seconds from_ms(double v) { return Seconds(v * 1e-3); }
  static constexpr Seconds from_us(double v) { return Seconds(v * 1e-6); }
  static constexpr Seconds infinity() { return Seconds(std::numeric_limits<double>::infinity()); }
  constexpr double s() const { return value_; }
  constexpr double ms() const { return value_ * 1e3; }
  constexpr double us() const { return value_ * 1e6; }

  constexpr auto operator<=>(const Seconds&) const = default;
  constexpr Seconds& operator+=(Seconds o) {
    value_ += o.value_;
    return *this;
  }
  constexpr Seconds& operator-=(Seconds o) {
    value_ -= o.value_;
    return *this;
  }
  friend constexpr Seconds operator+(Seconds a, Seconds b) { return Seconds(a.value_ + b.value_); }
  friend constexpr Seconds operator-(Seconds a, Seconds b) { return Seconds(a.value_ - b.value_); }
  friend constexpr Seconds operator*(Seconds a, double f) { return Seconds(a.value_ * f); }
  friend constexpr Seconds operator*(double f, Seconds a) { return Seconds(a.value_ * f); }
  friend constexpr Seconds operator/(Seconds a, double f) { return Seconds(a.value_ / f); }
  friend constexpr double operator/(Seconds a, Seconds b) { return a.value_ / b.value_; }

 private:
  constexpr explicit Seconds(double v) : value_(v) {}
  double value_ = 0;
};

/// An amount of memory or traffic. Whole bytes, exact up to 2^63 - 1.
class Bytes {
 public:
  constexpr Bytes() = default;
  static constexpr Bytes from_count(std::int64_t v) { return Bytes(v); }
  /// Rounds to the nearest byte. What is beyond the range becomes its end.
  static Bytes from_double(double v) {
    constexpr double end = 9223372036854775808.0;  // 2^63
    if (v >= end) return Bytes(std::numeric_limits<std::int64_t>::max());
    if (v <= -end) return Bytes(std::numeric_limits<std::int64_t>::min());
    return Bytes(std::llround(v));
  }
  static Bytes from_kib(double v) { return from_double(v * 1024.0); }
  static Bytes from_mib(double v) { return from_double(v * 1048576.0); }
  static Bytes from_gib(double v) { return from_double(v * 1073741824.0); }
  static Bytes from_mb(double v) { return from_double(v * 1e6); }
  static Bytes from_gb(double v) { return from_double(v * 1e9); }
  constexpr std::int64_t count() const { return value_; }
  constexpr double as_double() const { return static_cast<double>(value_); }
  constexpr double mib() const { return as_double() / 1048576.0; }
  constexpr double gib() const { return as_double() / 1073741824.0; }

  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes& operator+=(Bytes o) {
    value_ += o.value_;
    return *this;
  }
  constexpr Bytes& operator-=(Bytes o) {
    value_ -= o.value_;
    return *this;
  }
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return Bytes(a.value_ + b.value_); }
  friend constexpr Bytes operator-(Bytes a, Bytes b) { return Bytes(a.value_ - b.value_); }
  friend constexpr Bytes operator*(Bytes a, std::int64_t n) { return Bytes(a.value_ * n); }
  friend constexpr Bytes operator*(std::int64_t n, Bytes a) { return Bytes(a.value_ * n); }
  friend constexpr double operator/(Bytes a, Bytes b) { return a.as_double() / b.as_double(); }
  /// Whole bytes, rounded up: the share of the largest of `parts` equal parts.
  friend constexpr Bytes ceil_div(Bytes a, std::int64_t parts) {
    return Bytes(a.value_ / parts + (a.value_ % parts > 0 ? 1 : 0));
  }

 private:
  constexpr explicit Bytes(std::int64_t v) : value_(v) {}
  std::int64_t value_ = 0;
};

/// Whole things, rounded up: the share of the largest of `parts` equal parts. \pre count >= 0
constexpr std::int64_t ceil_div(std::int64_t count, std::int64_t parts) {
  return count / parts + (count % parts > 0 ? 1 : 0);
}

/// A rate of traffic, one direction. Stored in bytes per second.
class BytesPerSecond {
 public:
  constexpr BytesPerSecond() = default;
  static constexpr BytesPerSecond from_byte(double v) { return BytesPerSecond(v); }
  /// GB/s: 10^9 bytes each second.
  static constexpr BytesPerSecond from_gbyte(double v) { return BytesPerSecond(v * 1e9); }
  /// Gbit/s: 10^9 bits each second, as NICs and switches are named.
  static constexpr BytesPerSecond from_gbit(double v) { return BytesPerSecond(v * 1e9 / 8.0); }
  constexpr double byte() const { return value_; }
  constexpr double gbyte() const { return value_ * 1e-9; }
  constexpr double gbit() const { return value_ * 8e-9; }

  constexpr auto operator<=>(const BytesPerSecond&) const = default;
  constexpr BytesPerSecond& operator+=(BytesPerSecond o) {
    value_ += o.value_;
    return *this;
  }
  friend constexpr BytesPerSecond operator+(BytesPerSecond a, BytesPerSecond b) {
    return BytesPerSecond(a.value_ + b.value_);
  }
  friend constexpr BytesPerSecond operator*(BytesPerSecond a, double f) {
    return BytesPerSecond(a.value_ * f);
  }
  friend constexpr BytesPerSecond operator*(double f, BytesPerSecond a) { return a * f; }
  friend constexpr BytesPerSecond operator/(BytesPerSecond a, double f) {
    return BytesPerSecond(a.value_ / f);
  }
  friend constexpr double operator/(BytesPerSecond a, BytesPerSecond b) {
    return a.value_ / b.value_;
  }

 private:
  constexpr explicit BytesPerSecond(double v) : value_(v) {}
  double value_ = 0;
};

/// An amount of floating-point work; one multiply-add is two.
class Flop {
 public:
  constexpr Flop() = default;
  static constexpr Flop from_count(double v) { return Flop(v); }
  constexpr double count() const { return value_; }

  constexpr auto operator<=>(const Flop&) const = default;
  constexpr Flop& operator+=(Flop o) {
    value_ += o.value_;
    return *this;
  }
  friend constexpr Flop operator+(Flop a, Flop b) { return Flop(a.value_ + b.value_); }
  friend constexpr Flop operator-(Flop a, Flop b) { return Flop(a.value_ - b.value_); }
  friend constexpr Flop operator*(Flop a, double f) { return Flop(a.value_ * f); }
  friend constexpr Flop operator*(double f, Flop a) { return a * f; }
  friend constexpr double operator/(Flop a, Flop b) { return a.value_ / b.value_; }

 private:
  constexpr explicit Flop(double v) : value_(v) {}
  double value_ = 0;
};

/// A rate of floating-point work.
class FlopPerSecond {
 public:
  constexpr FlopPerSecond() = default;
  static constexpr FlopPerSecond from_tflops(double v) { return FlopPerSecond(v * 1e12); }
  constexpr double tflops() const { return value_ * 1e-12; }
  constexpr double flops() const { return value_; }

  constexpr auto operator<=>(const FlopPerSecond&) const = default;
  friend constexpr FlopPerSecond operator*(FlopPerSecond a, double f) {
    return FlopPerSecond(a.value_ * f);
  }
  friend constexpr double operator/(FlopPerSecond a, FlopPerSecond b) {
    return a.value_ / b.value_;
  }

 private:
  constexpr explicit FlopPerSecond(double v) : value_(v) {}
  double value_ = 0;
};

constexpr Seconds operator/(Bytes b, BytesPerSecond r) {
  return Seconds::from_s(b.as_double() / r.byte());
}
constexpr Seconds operator/(Flop f, FlopPerSecond r) {
  return Seconds::from_s(f.count() / r.flops());
}
constexpr FlopPerSecond operator/(Flop f, Seconds t) {
  return FlopPerSecond::from_tflops(f.count() / t.s() * 1e-12);
}
constexpr BytesPerSecond operator/(Bytes b, Seconds t) {
  return BytesPerSecond::from_byte(b.as_double() / t.s());
}

}  // namespace base
