#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "base/units.hpp"

/// Quantities as people write them: a number, a space if they like, a unit. The unit is never
/// optional. Errors are one sentence, ready for a Diagnostic.
namespace base {

struct QuantityError {
  std::string message;
  std::string hint;
};

template <class T>
using Quantity = tl::expected<T, QuantityError>;

/// "80 GiB", "25 MB", "512 B"; kB MB GB TB are powers of 1000, KiB MiB GiB TiB of 1024.
Quantity<Bytes> parse_bytes(std::string_view text);
/// "400 Gbit/s", "450 GB/s", "3.35 TB/s", "64 GiB/s".
Quantity<BytesPerSecond> parse_bytes_per_second(std::string_view text);
/// "5 us", "1.5 ms", "2 s", "800 ns", "3 min", "1 h".
Quantity<Seconds> parse_seconds(std::string_view text);
/// "989 TFLOP/s", "1.3 PFLOP/s", "19.5 GFLOP/s".
Quantity<FlopPerSecond> parse_flop_per_second(std::string_view text);

/// "1.50 GiB", "25.0 MiB", "17 B": three significant digits, powers of 1024.
std::string format_bytes(Bytes bytes);
/// "1.23 s", "4.56 ms", "7.89 us".
std::string format_seconds(Seconds time);
/// "400 Gbit/s" for networks.
std::string format_gbit(BytesPerSecond rate);
/// "450 GB/s" for memories and scale-up links.
std::string format_gbyte(BytesPerSecond rate);
/// "8.03 B", "70.6 B", "405 M": counts of parameters or tokens, powers of 1000.
std::string format_count(double count);

}  // namespace base
