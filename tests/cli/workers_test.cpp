#include "cli/workers.hpp"

#include <csignal>
#include <stdexcept>

#include "tests/support/catch.hpp"

namespace {

TEST_CASE("results come in order, whichever process finds them") {
  const auto results =
      cli::map_in_processes<long>(50, [](int i) { return static_cast<long>(i) * i; }, {});
  REQUIRE(results.size() == 50);
  for (std::size_t i = 0; i < results.size(); ++i) {
    CHECK(results[i].failure.empty());
    CHECK(results[i].value == static_cast<long>(i * i));
  }
}

TEST_CASE("an exception or a crash costs one piece and no other") {
  const auto results = cli::map_in_processes<int>(20,
                                                  [](int i) {
                                                    if (i % 5 == 1)
                                                      throw std::runtime_error("too odd");
                                                    if (i % 5 == 2) std::raise(SIGKILL);
                                                    return i;
                                                  },
                                                  {});
  for (int i = 0; i < 20; ++i) {
    const auto& result = results[static_cast<std::size_t>(i)];
    INFO(i);
    CHECK(result.failure == (i % 5 == 1 ? "too odd" : i % 5 == 2 ? "its process ended early" : ""));
    if (result.failure.empty()) CHECK(result.value == i);
  }
}

TEST_CASE("no work is done at once") {
  CHECK(cli::map_in_processes<int>(0, [](int i) { return i; }, {}).empty());
}

}  // namespace
