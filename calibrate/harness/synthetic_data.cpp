#include "calibrate/harness/synthetic_data.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.hpp"
#include "calibrate/harness/sweep.hpp"

namespace calibrate::harness {

namespace {

using base::Collective;

/// From 0 to 2; a product is 2 at most, and of an average all ranks have the same.
int value(const CollectiveCall& call, int rank, int ranks, std::int64_t element) {
  if (call.reduction == "prod") return (rank + element) % ranks == 0 ? 2 : 1;
  if (call.reduction == "avg") return static_cast<int>(element % 4);
  return static_cast<int>((rank + element) % 3);
}

int reduced(const CollectiveCall& call, int ranks, std::int64_t element) {
  int result = value(call, 0, ranks, element);
  if (call.reduction == "avg") return result;
  for (int rank = 1; rank < ranks; ++rank) {
    const int next = value(call, rank, ranks, element);
    if (call.reduction == "sum") result += next;
    if (call.reduction == "prod") result *= next;
    if (call.reduction == "min") result = std::min(result, next);
    if (call.reduction == "max") result = std::max(result, next);
  }
  return result;
}

/// A whole number from 0 to 2^8 in a 16-bit or 8-bit float of `exponent` and `mantissa` bits.
std::uint16_t narrow_float(int number, int exponent, int mantissa) {
  if (number == 0) return 0;
  const int power = std::bit_width(static_cast<unsigned>(number)) - 1;
  const int bias = (1 << (exponent - 1)) - 1;
  const int fraction = number - (1 << power);
  const int bits =
      power <= mantissa ? fraction << (mantissa - power) : fraction >> (power - mantissa);
  return static_cast<std::uint16_t>(((power + bias) << mantissa) | bits);
}

template <class T>
void put(std::byte* to, T number) {
  std::memcpy(to, &number, sizeof number);
}

void encode(std::string_view dtype, int number, std::byte* to) {
  if (dtype == "float") return put(to, static_cast<float>(number));
  if (dtype == "double") return put(to, static_cast<double>(number));
  if (dtype == "half") return put(to, narrow_float(number, 5, 10));
  if (dtype == "bfloat16") return put(to, narrow_float(number, 8, 7));
  if (dtype == "f8e4m3") return put(to, static_cast<std::uint8_t>(narrow_float(number, 4, 3)));
  if (dtype == "f8e5m2") return put(to, static_cast<std::uint8_t>(narrow_float(number, 5, 2)));
  switch (find_element_type(dtype)->bytes) {
    case 1: return put(to, static_cast<std::uint8_t>(number));
    case 4: return put(to, static_cast<std::uint32_t>(number));
    default: return put(to, static_cast<std::uint64_t>(number));
  }
}

/// Where element `i` of what `rank` receives comes from: a rank and its element, or all of them.
struct Origin {
  int rank = -1;  ///< -1: reduced over all; -2: nothing arrives here
  std::int64_t element = 0;
};
constexpr int of_all = -1;
constexpr int of_none = -2;

Origin origin(const CollectiveCall& call, int rank, std::int64_t i) {
  const std::int64_t count = call.count;
  const auto block = static_cast<int>(i / count);
  switch (call.op) {
    case Collective::all_reduce: return {of_all, i};
    case Collective::reduce: return {rank == call.root ? of_all : of_none, i};
    case Collective::reduce_scatter: return {of_all, rank * count + i};
    case Collective::broadcast: return {call.root, i};
    case Collective::all_gather: return {block, i % count};
    case Collective::gather: return {rank == call.root ? block : of_none, i % count};
    case Collective::scatter: return {call.root, rank * count + i};
    case Collective::all_to_all: return {block, rank * count + i % count};
    case Collective::send_receive: return {call.source >= 0 ? call.source : of_none, i};
    case Collective::barrier: break;
  }
  return {of_none, 0};
}

}  // namespace

bool exact(const CollectiveCall& call, int ranks) {
  if (!has_reduction(call.op)) return true;
  if (call.reduction == "avg") return std::has_single_bit(static_cast<unsigned>(ranks));
  if (call.reduction != "sum") return true;
  constexpr int largest = 2;  // of what is added
  const int sum = largest * ranks;
  if (call.dtype == "f8e4m3") return sum <= 1 << 4;
  if (call.dtype == "f8e5m2") return sum <= 1 << 3;
  if (call.dtype == "int8") return sum < 1 << 7;
  if (call.dtype == "uint8" || call.dtype == "bfloat16") return sum < 1 << 8;
  if (call.dtype == "half") return sum <= 1 << 11;
  return true;
}

std::vector<std::byte> sent_data(const CollectiveCall& call, int rank, int ranks,
                                 std::int64_t elements) {
  const ElementType* const type = find_element_type(call.dtype);
  CHECK_INVARIANT(type != nullptr && elements >= 0);
  std::vector<std::byte> bytes(static_cast<std::size_t>(elements * type->bytes));
  for (std::int64_t i = 0; i < elements; ++i)
    encode(call.dtype, value(call, rank, ranks, i), bytes.data() + i * type->bytes);
  return bytes;
}

std::int64_t wrong_elements(const CollectiveCall& call, int rank, int ranks,
                            std::span<const std::byte> received) {
  const ElementType* const type = find_element_type(call.dtype);
  CHECK_INVARIANT(type != nullptr);
  const auto elements = static_cast<std::int64_t>(received.size()) / type->bytes;
  std::int64_t wrong = 0;
  std::byte expected[8];
  for (std::int64_t i = 0; i < elements; ++i) {
    const Origin from = origin(call, rank, i);
    if (from.rank == of_none) continue;
    encode(call.dtype,
           from.rank == of_all ? reduced(call, ranks, from.element)
                               : value(call, from.rank, ranks, from.element),
           expected);
    if (std::memcmp(expected, received.data() + i * type->bytes,
                    static_cast<std::size_t>(type->bytes)) != 0)
      ++wrong;
  }
  return wrong;
}

}  // namespace calibrate::harness
