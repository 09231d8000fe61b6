#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/golden.hpp"
#include "tests/viz/sample_step.hpp"
#include "viz/viz.hpp"

namespace viz {
namespace {

using nlohmann::json;

const std::vector<LinkCounter> no_links;

std::vector<json> events_of(const std::string& trace) {
  return json::parse(trace).at("traceEvents").get<std::vector<json>>();
}

std::vector<json> slices_named(const std::vector<json>& events, const std::string& name) {
  std::vector<json> found;
  for (const json& event : events)
    if (event.at("ph") == "X" && event.at("name") == name) found.push_back(event);
  return found;
}

/// What every viewer of the format relies on: returns the number of slices it looked at.
int check_schema(const std::vector<json>& events) {
  using Thread = std::pair<int, int>;
  std::map<Thread, std::vector<double>> open;  // ends of the slices around the current time
  double last = 0;
  int slices = 0;
  for (const json& event : events) {
    const double begin = event.at("ts").get<double>();
    REQUIRE(begin >= last);
    last = begin;
    REQUIRE(event.at("name").is_string());
    const Thread thread{event.at("pid").get<int>(), event.at("tid").get<int>()};
    if (event.at("ph") != "X") continue;
    ++slices;
    REQUIRE(event.at("dur").get<double>() >= 0);
    const double end = begin + event.at("dur").get<double>();
    std::vector<double>& ends = open[thread];
    while (!ends.empty() && ends.back() <= begin + 1e-6) ends.pop_back();
    REQUIRE((ends.empty() || end <= ends.back() + 1e-6));
    ends.push_back(end);
  }
  return slices;
}

TEST_CASE("the trace keeps the rules of its format") {
  const SampleStep step = sample_step();
  const std::string trace = chrome_trace(step.graph, step.timeline, no_links);
  check_golden("trace.json", trace);
  // Stage 0: 3 segments with 3 + 2 + 1 pieces, 3 transfers of which 2 were waited for: 14.
  // Stage 1: the same segments, 3 transfers of which 1 was waited for: 13.
  CHECK(check_schema(events_of(trace)) == 27);
}

TEST_CASE("programs are processes shown by their lowest rank, streams are threads") {
  const SampleStep step = sample_step();
  std::set<std::string> processes;
  std::set<std::string> threads;
  for (const json& event : events_of(chrome_trace(step.graph, step.timeline, no_links))) {
    if (event.at("name") == "process_name") processes.insert(event.at("args").at("name"));
    if (event.at("name") == "thread_name") threads.insert(event.at("args").at("name"));
  }
  CHECK(processes ==
        std::set<std::string>{"stage 0 (rank 0, 2 ranks)", "stage 1 (rank 2, 2 ranks)"});
  CHECK(threads.size() == 4);  // nothing runs on replica_comm
}

TEST_CASE("kernels of a segment keep their time and its collective takes the rest") {
  const SampleStep step = sample_step();
  const std::vector<json> events = events_of(chrome_trace(step.graph, step.timeline, no_links));
  // Forward of stage 0 takes 10 ms: 3.5 + 3.5 of kernels, so 3 ms for the collective between them,
  // although it takes 2 ms alone.
  const std::vector<json> waits = slices_named(events, "all-reduce attention");
  REQUIRE(waits.size() == 2);
  CHECK(waits[0].at("ts") == 3500.0);
  CHECK(waits[0].at("dur") == 3000.0);
  CHECK(waits[0].at("cat") == "tensor");
  const std::vector<json> kernels = slices_named(events, "matmul");
  REQUIRE(kernels.size() == 8);
  CHECK(kernels[0].at("dur") == 3500.0);
  // Backward of stage 0 took 20 ms for kernels of 16 ms: they are stretched alike.
  CHECK(kernels.back().at("ts") == 50000.0);
  CHECK(kernels.back().at("dur") == 10000.0);
}

TEST_CASE("waiting and transfer are told apart") {
  const SampleStep step = sample_step();
  const std::vector<json> events = events_of(chrome_trace(step.graph, step.timeline, no_links));
  const std::vector<json> waits = slices_named(events, "wait: gradient #0");
  REQUIRE(waits.size() == 1);
  CHECK(waits[0].at("ts") == 0.0);
  CHECK(waits[0].at("dur") == 38000.0);
  const std::vector<json> transfers = slices_named(events, "gradient #0");
  REQUIRE(transfers.size() == 2);  // seen by the sender and by the receiver
  CHECK(transfers[0].at("ts") == 38000.0);
  CHECK(transfers[0].at("args").at("micro_batch") == 0);
  CHECK(transfers[0].at("args").at("bytes") == 8 << 20);
}

TEST_CASE("an arrow leads from each send to its receive") {
  const SampleStep step = sample_step();
  std::map<int, json> starts;
  std::map<int, json> ends;
  for (const json& event : events_of(chrome_trace(step.graph, step.timeline, no_links))) {
    if (event.at("ph") == "s") starts[event.at("id").get<int>()] = event;
    if (event.at("ph") == "f") ends[event.at("id").get<int>()] = event;
  }
  REQUIRE(starts.size() == 2);
  REQUIRE(ends.size() == 2);
  for (const auto& [id, start] : starts) {
    const json& end = ends.at(id);
    CHECK(start.at("name") == end.at("name"));
    CHECK(start.at("cat") == end.at("cat"));
    CHECK(start.at("pid") != end.at("pid"));
    CHECK(start.at("ts").get<double>() <= end.at("ts").get<double>());
    CHECK(end.at("bp") == "e");
  }
}

TEST_CASE("memory is a counter that starts with what is resident") {
  const SampleStep step = sample_step();
  std::vector<std::pair<double, int>> curve;
  for (const json& event : events_of(chrome_trace(step.graph, step.timeline, no_links)))
    if (event.at("ph") == "C" && event.at("name") == "memory" && event.at("pid") == 1)
      curve.emplace_back(event.at("ts"), event.at("args").at("bytes"));
  // 5,000 resident and 1,000 from the start of the forward; given back at 60 ms.
  CHECK(curve == std::vector<std::pair<double, int>>{{0.0, 6000}, {60000.0, 5000}});
}

TEST_CASE("links have counters in a process of their own") {
  const SampleStep step = sample_step();
  const std::vector<LinkCounter> links{{"nic-0 -> \"leaf\"", {0, 0, 985, 20}}, {"other", {1001}}};
  const std::vector<json> events = events_of(chrome_trace(step.graph, step.timeline, links));
  check_schema(events);
  std::vector<std::tuple<std::string, double, double>> said;
  for (const json& event : events)
    if (event.at("ph") == "C" && event.at("pid") == 3)
      said.emplace_back(event.at("name"), event.at("ts"), event.at("args").at("percent"));
  // Quarters of a step; the second is as the first.
  const double quarter = step.timeline.step.us() / 4;
  CHECK(said == std::vector<std::tuple<std::string, double, double>>{
                    {"nic-0 -> \"leaf\"", 0, 0},
                    {"other", 0, 100.1},
                    {"nic-0 -> \"leaf\"", 2 * quarter, 98.5},
                    {"nic-0 -> \"leaf\"", 3 * quarter, 2}});
}

TEST_CASE("transfers under way are a counter") {
  const SampleStep step = sample_step();
  std::vector<std::pair<double, std::int64_t>> rates;  // of stage 0
  for (const json& event : events_of(chrome_trace(step.graph, step.timeline, no_links)))
    if (event.at("ph") == "C" && event.at("name") == "transfers" && event.at("pid") == 1)
      rates.emplace_back(event.at("ts"), event.at("args").at("bytes_per_s"));
  // 8 MiB are sent in 2 ms, 1 MiB of gradients reduced in 3 ms; what is received counts elsewhere.
  CHECK(rates == std::vector<std::pair<double, std::int64_t>>{
                     {10000, 4194304000}, {12000, 0}, {61000, 349525333}, {64000, 0}});
}

TEST_CASE("spans that overlap or names that break JSON cannot break the trace") {
  SampleStep step = sample_step();
  for (sim::Span& span : step.timeline.spans) span.begin -= 0.005;
  step.graph.labels[0] = "\xff\"\\\n";
  step.graph.programs[0].name = "\x01</script>";
  CHECK(check_schema(events_of(chrome_trace(step.graph, step.timeline, no_links))) > 0);
}

TEST_CASE("an empty step is an empty trace") {
  CHECK(events_of(chrome_trace(sim::StepGraph{}, sim::Timeline{}, no_links)).empty());
}

}  // namespace
}  // namespace viz
