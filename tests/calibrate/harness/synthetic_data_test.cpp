#include "calibrate/harness/synthetic_data.hpp"

#include <cstring>

#include "calibrate/harness/sweep.hpp"
#include "tests/support/catch.hpp"

namespace calibrate::harness {
namespace {

using base::Collective;

CollectiveCall call_of(Collective op, const std::string& reduction = "sum") {
  CollectiveCall call;
  call.op = op;
  call.dtype = "float";
  call.reduction = reduction;
  call.count = 4;
  call.root = 1;
  call.source = 1;
  return call;
}

std::vector<float> floats(const std::vector<std::byte>& bytes) {
  std::vector<float> numbers(bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

std::vector<std::byte> bytes(const std::vector<float>& numbers) {
  std::vector<std::byte> data(numbers.size() * sizeof(float));
  std::memcpy(data.data(), numbers.data(), data.size());
  return data;
}

TEST_CASE("what ranks send is (rank + element) mod 3, and results follow by hand") {
  // Two ranks: 0 1 2 0 and 1 2 0 1.
  CHECK(floats(sent_data(call_of(Collective::all_reduce), 0, 2, 4)) ==
        std::vector<float>{0, 1, 2, 0});
  CHECK(floats(sent_data(call_of(Collective::all_reduce), 1, 2, 4)) ==
        std::vector<float>{1, 2, 0, 1});
  const auto wrong = [](const CollectiveCall& call, int rank, const std::vector<float>& got) {
    return wrong_elements(call, rank, 2, bytes(got));
  };
  CHECK(wrong(call_of(Collective::all_reduce), 0, {1, 3, 2, 1}) == 0);
  CHECK(wrong(call_of(Collective::all_reduce), 0, {1, 3, 2, 7}) == 1);
  CHECK(wrong(call_of(Collective::all_reduce, "max"), 1, {1, 2, 2, 1}) == 0);
  CHECK(wrong(call_of(Collective::all_reduce, "min"), 1, {0, 1, 0, 0}) == 0);
  CHECK(wrong(call_of(Collective::all_gather), 0, {0, 1, 2, 0, 1, 2, 0, 1}) == 0);
  CHECK(wrong(call_of(Collective::broadcast), 0, {1, 2, 0, 1}) == 0);
  CHECK(wrong(call_of(Collective::send_receive), 0, {1, 2, 0, 1}) == 0);
  // Only the root has something to look at.
  CHECK(wrong(call_of(Collective::reduce), 0, {9, 9, 9, 9}) == 0);
  CHECK(wrong(call_of(Collective::reduce), 1, {9, 9, 9, 9}) == 4);
  // Blocks of four of eight elements: rank 1 has the second block of the sums 1 3 2 1 3 2 1 3.
  CHECK(wrong(call_of(Collective::reduce_scatter), 1, {3, 2, 1, 3}) == 0);
  // Rank 1 gets the second block of each: 1 2 0 1 of rank 0, 2 0 1 2 of rank 1.
  CHECK(wrong(call_of(Collective::all_to_all), 1, {1, 2, 0, 1, 2, 0, 1, 2}) == 0);
  CHECK(wrong(call_of(Collective::scatter), 0, {1, 2, 0, 1}) == 0);
}

TEST_CASE("narrow formats hold small whole numbers exactly") {
  // 3 is 1.5 x 2: half 0x4200, bfloat16 0x4040, E4M3 (bias 7) 0x44, E5M2 (bias 15) 0x42.
  for (const auto& [dtype, three] : {std::pair{"half", 0x4200}, std::pair{"bfloat16", 0x4040},
                                     std::pair{"f8e4m3", 0x44}, std::pair{"f8e5m2", 0x42}}) {
    INFO(dtype);
    CollectiveCall call = call_of(Collective::all_reduce);
    call.dtype = dtype;
    call.count = 1;
    // Three ranks send 1, 2 and 0 of element 1: received is its sum, 3, as element 0 is too.
    const int size = find_element_type(dtype)->bytes;
    std::vector<std::byte> sum(static_cast<std::size_t>(size));
    std::memcpy(sum.data(), &three, sum.size());
    CHECK(wrong_elements(call, 0, 3, sum) == 0);
    sum[0] ^= std::byte{1};
    CHECK(wrong_elements(call, 0, 3, sum) == 1);
  }
}

TEST_CASE("sums that a format cannot hold are not checked") {
  CollectiveCall call = call_of(Collective::all_reduce);
  call.dtype = "f8e4m3";  // whole numbers up to 16
  CHECK(exact(call, 8));
  CHECK_FALSE(exact(call, 9));
  call.dtype = "bfloat16";  // up to 256
  CHECK(exact(call, 127));
  CHECK_FALSE(exact(call, 129));
  call.reduction = "avg";
  CHECK(exact(call, 4));
  CHECK_FALSE(exact(call, 3));
  call.op = Collective::all_gather;
  CHECK(exact(call, 3));
}

}  // namespace
}  // namespace calibrate::harness
