#include "sim/link_courses.hpp"

#include <algorithm>
#include <numeric>

#include "tests/sim/small_step.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

constexpr int intervals = 50;

/// Wide enough that gradients and activations load links visibly.
Built wide(const strategies::Plan& plan) {
  strategies::ModelSpec model = gpt(4);
  model.hidden = 4096;
  model.ffn = 16384;
  model.heads = model.kv_heads = 32;
  model.head_dim = 128;
  return build(model, plan);
}

struct Courses {
  Timeline timeline;
  LinkCourses courses;
};

Courses courses_of(const Built& built, Fidelity fidelity, std::size_t courses_max = 1000) {
  const EngineOptions options{.fidelity = fidelity};
  Timeline timeline = simulate(built.graph, built.cluster, built.gpus, options);
  LinkCourses courses = link_courses(built.graph, timeline, built.cluster, built.gpus, options,
                                     intervals, courses_max);
  return {std::move(timeline), std::move(courses)};
}

TEST_CASE("what a link carries in all intervals is what it carries in the step") {
  for (const Fidelity fidelity : {Fidelity::hybrid, Fidelity::flow}) {
    const Built built = wide(plan_with(2, 1, 8, 2));
    const auto [timeline, courses] = courses_of(built, fidelity);
    int loaded = 0;
    int most = 0;
    for (topology::LinkId link = 0; link < built.cluster.link_count(); ++link) {
      const int course = courses.of_link[link];
      CHECK((course >= 0) == (timeline.link_bytes[link] > 0));
      if (course < 0) continue;
      ++loaded;
      const auto& shares = courses.distinct[static_cast<std::size_t>(course)];
      REQUIRE(shares.size() == intervals);
      most = std::max<int>(most, *std::max_element(shares.begin(), shares.end()));
      const double mean = std::accumulate(shares.begin(), shares.end(), 0.0) / intervals / 1000;
      const double use =
          timeline.link_bytes[link] / (built.cluster.link(link).rate.byte() * timeline.step.s());
      CHECK(mean == Approx(use).margin(0.0005 + 1e-6));  // half a thousandth an interval
    }
    CHECK(loaded > 0);
    CHECK(most > 100);  // a tenth of a rate, or there is nothing to see
  }
}

// Between the stages of two nodes activations go one way and gradients, later, the other.
TEST_CASE("of more courses than wanted, those of the busiest links are kept") {
  const Built built = wide(plan_with(1, 4, 4, 8));
  const LinkCourses all = courses_of(built, Fidelity::hybrid).courses;
  REQUIRE(all.distinct.size() > 1);
  const LinkCourses one = courses_of(built, Fidelity::hybrid, 1).courses;
  REQUIRE(one.distinct.size() == 1);
  CHECK((all.complete && !one.complete));
  CHECK(one.distinct[0] == all.distinct[0]);
  for (std::size_t link = 0; link < all.of_link.size(); ++link)
    CHECK(one.of_link[link] == (all.of_link[link] == 0 ? 0 : -1));
}

}  // namespace
}  // namespace sim
