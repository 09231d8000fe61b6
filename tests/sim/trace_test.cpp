// Readers of public cluster traces. The rows are made up in the formats that the traces document.

#include "sim/trace/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/csv.hpp"
#include "tests/support/catch.hpp"

namespace sim::trace {

namespace {

base::Result<Trace> read(std::string_view format, const std::vector<std::string>& texts) {
  std::vector<base::Csv> tables;
  for (const std::string& text : texts) {
    auto table = base::parse_csv(text, "t.csv");
    if (!table) return tl::unexpected(table.error());
    tables.push_back(std::move(*table));
  }
  const auto row = std::find_if(formats().begin(), formats().end(),
                                [&](const Format& one) { return one.name == format; });
  REQUIRE(row != formats().end());
  REQUIRE(row->tables == tables.size());
  return row->read(tables);
}

std::string text_of(const base::Result<Trace>& trace) {
  std::string text;
  if (!trace) {
    for (const base::Diagnostic& one : trace.error()) text += one.format() + "\n";
    return text;
  }
  for (const Job& job : trace->jobs)
    text +=
        fmt::format("{}: {} GPUs at {} for {}\n", job.name, job.gpus, job.arrival, job.duration);
  return text;
}

std::string notes_of(const base::Result<Trace>& trace) {
  std::string text;
  if (trace)
    for (const base::Diagnostic& one : trace->notes) text += one.format() + "\n";
  return text;
}

}  // namespace

TEST_CASE("openb: parts of a GPU count as one, gaps of time are told, CPU pods are left out") {
  const auto trace = read("openb", {"name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,"
                                    "pod_phase,creation_time,deletion_time,scheduled_time\n"
                                    "b,8000,100,8,1000,A100|H800,LS,Succeeded,1100,2000,1200\n"
                                    "a,4000,100,1,460,,BE,Succeeded,1000,1600,1000\n"
                                    "cpu,4000,100,0,0,,BE,Succeeded,1000,1600,1000\n"
                                    "late,4000,100,2,1000,,BE,Running,1500,,1500\n"});
  // b waited 100 s and ran 800; `late` runs to the last time there is, 2000.
  CHECK(text_of(trace) ==
        "a: 1 GPUs at 0 for 600\nb: 8 GPUs at 100 for 800\nlate: 2 GPUs at 500 for 500\n");
  CHECK_THAT(notes_of(trace), Catch::Contains("certain GPU models"));
}

TEST_CASE("alibaba-spot: GPUs are those of all workers") {
  const auto trace =
      read("alibaba-spot", {"job_name,organization,gpu_model,cpu_request,gpu_request,worker_num,"
                            "submit_time,duration,job_type\n"
                            "x,org,A100,96,8,4,10.5,3600,HP\n"
                            "y,org,A100,96,1,1,20,60.25,Spot\n"});
  CHECK(text_of(trace) == "x: 32 GPUs at 0 for 3600\ny: 1 GPUs at 9.5 for 60.25\n");
  CHECK_THAT(notes_of(trace), Catch::Contains("spot jobs run to their end"));
}

TEST_CASE("helios: dates, and durations go before them") {
  const auto trace = read("helios", {"job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,"
                                     "start_time,end_time,duration,queue\n"
                                     "7,u,v,16,64,2,COMPLETED,2020-06-09 18:00:00,"
                                     "2020-06-09 18:10:00,2020-06-09 19:10:00,3500,600\n"
                                     "8,u,v,8,64,1,FAILED,2020-06-09 18:30:00,None,None,NaN,\n"});
  // 8 never began: nothing to play.
  CHECK(text_of(trace) == "7: 16 GPUs at 0 for 3500\n");
  CHECK_FALSE(notes_of(trace).empty());
}

TEST_CASE("lingjun: GPUs stand in the second table, as resources of workers") {
  const std::string jobs =
      "job_name,kind,gmt_job_submitted,gmt_job_running,gmt_job_finished\n"
      "llm,PyTorchJob,2023-07-15T00:00:00+08:00,2023-07-15T00:01:00+08:00,2023-07-15T02:01:00+08:"
      "00\n"
      "ghost,PyTorchJob,2023-07-15T00:00:00+08:00,2023-07-15T00:01:00+08:00,"
      "2023-07-15T02:01:00+08:00\n";
  const std::string workers =
      "job_name,worker_name,host_ip,RES\n"
      "llm,w0,10.0.0.1,\"{\"\"cpu\"\": \"\"96\"\", \"\"nvidia.com/gpu\"\": \"\"8\"\"}\"\n"
      "llm,w1,10.0.0.2,\"{\"\"cpu\"\": \"\"96\"\", \"\"nvidia.com/gpu\"\": \"\"8\"\"}\"\n";
  const auto trace = read("lingjun", {jobs, workers});
  CHECK(text_of(trace) == "llm: 16 GPUs at 0 for 7200\n");
  CHECK_THAT(notes_of(trace), Catch::Contains("no worker in the second file"));
}

TEST_CASE("times are seconds or dates, with slashes, parts of a second and zones") {
  const auto trace = read(
      "lingjun", {"job_name,gmt_job_submitted,gmt_job_running,gmt_job_finished,gmt_job_stopped\n"
                  "a,2023/7/15 02:19,2023/7/15 02:20,,2023/7/15 3:20\n"
                  "b,2023-07-15T02:19:30.5Z,2023-07-15 02:20:00,2023-07-15T10:30:00+08:00,\n"
                  "c,,2024-02-29 00:00,2024-03-01 00:00,\n",
                  "job_name,RES\na,\"{\"\"nvidia.com/gpu\"\": 1}\"\n"
                  "b,\"{\"\"nvidia.com/gpu\"\": 2}\"\nc,\"{\"\"nvidia.com/gpu\"\": 4}\"\n"});
  // b ends at 02:30 UTC. c comes when it begins, 229 days less 2 h 19 min after a, and has a leap
  // day.
  CHECK(text_of(trace) == fmt::format("a: 1 GPUs at 0 for 3600\nb: 2 GPUs at 30.5 for 600\n"
                                      "c: 4 GPUs at {} for 86400\n",
                                      229 * 86400 - (2 * 60 + 19) * 60));
  for (const char* word : {"2023-02-29 00:00", "2023-7", "2023-07-15 25:00", "2023-07-15 01:00 CET",
                           "2023/07-15 01:00", "1969-01-01 00:00"}) {
    INFO(word);
    CHECK_FALSE(read("lingjun", {fmt::format("job_name,gmt_job_submitted,gmt_job_running,"
                                             "gmt_job_finished\na,{},,\n",
                                             word),
                                 "job_name,RES\na,\n"}));
  }
}

TEST_CASE("cells that do not read are mistakes at their line, missing columns by their names") {
  CHECK_THAT(text_of(read("alibaba-spot", {"job_name,gpu_request\nx,8\n"})),
             Catch::Contains("worker_num") && Catch::Contains("submit_time"));
  const auto wrong =
      read("alibaba-spot", {"job_name,gpu_request,worker_num,submit_time,duration,job_type\n"
                            "x,eight,1,0,10,HP\ny,8,1,soon,10,HP\nz,8,1,0,-5,HP\n"});
  REQUIRE_FALSE(wrong.has_value());
  CHECK_THAT(text_of(wrong), Catch::Contains("t.csv:2") && Catch::Contains("eight") &&
                                 Catch::Contains("t.csv:3") && Catch::Contains("soon") &&
                                 Catch::Contains("t.csv:4") && Catch::Contains("-5"));
}

}  // namespace sim::trace
