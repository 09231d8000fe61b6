#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/quantity.hpp"
#include "viz/table.hpp"
#include "viz/terminal.hpp"
#include "viz/workload.hpp"

namespace viz {

namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr std::size_t jobs_shown = 20;

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

/// Times of queues: "12 s", "3.4 min", "5.2 h", "3.1 d".
std::string long_time(double seconds) {
  if (seconds < 60) return fmt::format("{:.3g} s", seconds);
  if (seconds < 3600) return fmt::format("{:.1f} min", seconds / 60);
  if (seconds < 2 * 86400) return fmt::format("{:.1f} h", seconds / 3600);
  return fmt::format("{:.1f} d", seconds / 86400);
}

std::string top(const WorkloadHead& head, const TextOptions& options) {
  return fmt::format("{}\n{}\n", painted(printable(head.name), Paint::strong, options.colour),
                     printable(head.cluster));
}

std::string section(std::string_view title, const std::string& body, const TextOptions& options) {
  return fmt::format("\n{}\n{}", painted(title, Paint::strong, options.colour), body);
}

std::string links_table(const sim::ContentionReport& report) {
  std::vector<Column> columns{{"link"}, {"rate", true}};
  for (const auto& job : report.jobs) columns.push_back({job.name + " a step", true, 24});
  columns.insert(columns.end(), {{"together", true}, {"short of rate", true}});
  Rows rows;
  for (const auto& link : report.links) {
    std::vector<std::string> row{
        link.alike > 1 ? fmt::format("{} (and {} alike)", link.name, link.alike - 1) : link.name,
        base::format_gbyte(link.rate)};
    for (const base::Bytes& bytes : link.bytes)
      row.push_back(bytes.count() == 0 ? "-" : base::format_bytes(bytes));
    row.push_back(percent(link.together));
    row.push_back(percent(link.busy));
    rows.push_back(std::move(row));
  }
  return table(columns, rows);
}

std::string policies_table(const std::vector<sim::queue::QueueReport>& runs) {
  Rows rows;
  for (const sim::queue::QueueReport& run : runs)
    rows.push_back({run.policy, long_time(run.makespan), long_time(run.queued_mean),
                    long_time(run.queued_median), long_time(run.queued_p95),
                    fmt::format("{:.3f}", run.slowdown_mean),
                    fmt::format("{:.3f}", run.slowdown_worst), percent(run.utilisation),
                    fmt::format("{}", run.links_contended)});
  return table({{"policy"},
                {"makespan", true},
                {"queued mean", true},
                {"median", true},
                {"p95", true},
                {"slowdown", true},
                {"worst", true},
                {"GPUs used", true},
                {"links short", true}},
               rows);
}

std::string fragmentation_table(const std::vector<sim::queue::QueueReport>& runs) {
  std::vector<Column> columns{{"policy"}};
  for (const sim::queue::Fragmentation& level : runs.front().fragmentation) {
    columns.push_back({level.level + " mean", true});
    columns.push_back({"least", true});
  }
  Rows rows;
  for (const sim::queue::QueueReport& run : runs) {
    rows.push_back({run.policy});
    for (const sim::queue::Fragmentation& level : run.fragmentation) {
      rows.back().push_back(percent(level.mean));
      rows.back().push_back(percent(level.least));
    }
  }
  return table(columns, rows);
}

/// Those that others or their own places slow most.
std::string jobs_table(const std::vector<std::string>& names, const sim::queue::QueueReport& run) {
  std::vector<std::size_t> order(names.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const bool all = names.size() <= jobs_shown;
  if (!all)
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const auto slowdown = [&](std::size_t i) { return run.jobs[i].ran() / run.jobs[i].alone; };
      return slowdown(a) > slowdown(b);
    });
  Rows rows;
  for (const std::size_t i : order) {
    if (rows.size() == jobs_shown) break;
    const sim::queue::JobOutcome& job = run.jobs[i];
    rows.push_back({names[i], fmt::format("{}", job.gpus), long_time(job.arrival),
                    long_time(job.queued()), long_time(job.ran()),
                    fmt::format("{:.3f}", job.ran() / job.alone),
                    fmt::format("{:.3f}", job.ran() / job.spread)});
  }
  return table({{"job"},
                {"GPUs", true},
                {"arrives", true},
                {"waits", true},
                {"runs", true},
                {"slowdown", true},
                {"by others", true}},
               rows);
}

std::string contended_table(const sim::queue::QueueReport& run) {
  Rows rows;
  for (const sim::queue::ContendedLink& link : run.links)
    rows.push_back({link.name, base::format_gbyte(base::BytesPerSecond::from_byte(link.rate)),
                    long_time(link.seconds), fmt::format("{:.2f}", link.worst),
                    fmt::format("{}", link.jobs_at_once)});
  return table(
      {{"link"}, {"rate", true}, {"short for", true}, {"worst demand", true}, {"jobs", true}},
      rows);
}

}  // namespace

std::string contention_text(const WorkloadHead& head, const sim::ContentionReport& report,
                            const TextOptions& options) {
  Rows rows;
  for (const auto& job : report.jobs)
    rows.push_back({job.name, fmt::format("{}", job.gpus), base::format_seconds(job.alone),
                    base::format_seconds(job.step), fmt::format("{:.3f}", job.slowdown()),
                    base::format_seconds(job.shortest), base::format_seconds(job.longest),
                    fmt::format("{}", job.steps)});
  std::string text = top(head, options);
  text += section("jobs side by side",
                  table({{"job"},
                         {"GPUs", true},
                         {"step alone", true},
                         {"beside others", true},
                         {"slowdown", true},
                         {"shortest", true},
                         {"longest", true},
                         {"steps", true}},
                        rows),
                  options);
  text += section(
      "links on which they meet",
      report.links.empty() ? std::string("  none that is short of rate\n") : links_table(report),
      options);
  return text;
}

std::string queue_text(const WorkloadHead& head, const std::vector<std::string>& names,
                       const std::vector<sim::queue::QueueReport>& runs,
                       const TextOptions& options) {
  std::string text = top(head, options);
  text += section(fmt::format("queue of {} jobs", names.size()), policies_table(runs), options);
  if (!runs.front().fragmentation.empty())
    text += section("largest free domain, of all free nodes", fragmentation_table(runs), options);
  const sim::queue::QueueReport& run = runs.front();
  const bool all = names.size() <= jobs_shown;
  text += section(fmt::format("{}{}", run.policy, all ? ": jobs" : ": jobs that are slowed most"),
                  jobs_table(names, run), options);
  if (!run.links.empty())
    text += section(fmt::format("{}: links short of rate, most lost first", run.policy),
                    contended_table(run), options);
  return text;
}

}  // namespace viz
