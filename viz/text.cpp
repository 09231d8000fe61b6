#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/quantity.hpp"
#include "viz/digits.hpp"
#include "viz/terminal.hpp"
#include "viz/viz.hpp"

namespace viz {

namespace {

constexpr int label_width = 13;
constexpr int width_min = 60;

/// The page as it grows; everything that comes from a user's file passes through `printable`.
struct Page {
  int width = 80;
  bool colour = false;
  std::string text;

  void line(std::string_view content) {
    text += content;
    text += '\n';
  }
  void heading(std::string_view title) {
    text += '\n';
    line(painted(title, Paint::strong, colour));
  }
  /// "  label        words that go on under themselves when they are long".
  void entry(std::string_view label, std::string_view words, Paint paint = Paint::none) {
    std::string first = fit(label, label_width);
    for (const std::string& part : wrap(printable(words), width - label_width - 2)) {
      line(fmt::format("  {}{}", first, painted(part, paint, colour)));
      first.assign(label_width, ' ');
    }
  }
  /// "  name         amount  share  bar", the name cut so that the bar keeps `bar_width` columns.
  void row(std::string_view name, std::string_view amount, double share, int name_width) {
    const int used = 2 + name_width + 12 + 9;
    std::string content = fmt::format("  {}{:>12}{:>7.1f} %  {}", fit(printable(name), name_width),
                                      amount, share * 100, bar(share, width - used - 2));
    content.erase(content.find_last_not_of(' ') + 1);
    line(content);
  }
};

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

void headline(Page& page, const sim::Report& report) {
  const std::string scenario = printable(report.scenario);
  const sim::MemoryReport& memory = report.memory;
  if (!memory.fits) {
    const base::Bytes excess = memory.peak - memory.capacity;
    page.line(painted(
        fmt::format("DOES NOT FIT: rank {} needs {}, {} too much", memory.worst_rank,
                    used_of_capacity(memory.peak, memory.capacity), base::format_bytes(excess)),
        Paint::bad, page.colour));
    if (!memory.advice.empty()) page.entry("what to do", memory.advice);
    page.text += '\n';
  }
  page.line(
      painted(fit(scenario, std::min(width_of(scenario), page.width)), Paint::strong, page.colour));
  page.text += '\n';
  page.entry("step time",
             fmt::format("{}   (p10 {}, p90 {})", time_text(report.step),
                         time_text(report.step_p10), time_text(report.step_p90)),
             Paint::strong);
  if (report.measured)
    page.entry("measured",
               fmt::format("{}: forecast {:+.1f} %   ({})", time_text(report.measured->step),
                           100 * (report.step / report.measured->step - 1),
                           printable(report.measured->source)));
  page.entry("throughput", fmt::format("{} tokens/s, {} tokens/s per GPU",
                                       base::format_count(report.tokens_per_s),
                                       base::format_count(report.tokens_per_s_per_gpu)));
  page.entry("efficiency",
             fmt::format("MFU {:.1f} %, HFU {:.1f} %, {} model TFLOP/s per GPU", report.mfu * 100,
                         report.hfu * 100, three_digits(report.model_tflops_per_gpu)));
}

void what_was_simulated(Page& page, const sim::Report& report) {
  page.text += '\n';
  page.entry("model", report.model);
  page.entry("cluster", report.cluster);
  page.entry("plan", report.plan);
  const std::string different = report.ranks_played > 0 && report.ranks_played < report.ranks
                                    ? fmt::format(" ({} different)", report.ranks_played)
                                    : std::string();
  page.entry("simulated",
             fmt::format("{} rank{}{}, {}; never below {} (no contention)", report.ranks,
                         report.ranks == 1 ? "" : "s", different, sim::name_of(report.fidelity),
                         time_text(report.lower_bound)));
}

void memory(Page& page, const sim::MemoryReport& memory) {
  page.heading(fmt::format("Memory of rank {}, the fullest", memory.worst_rank));
  const double used = ratio(memory.peak.as_double(), memory.capacity.as_double());
  page.entry(
      memory.fits ? "fits" : "does not fit",
      fmt::format("{} ({:.1f} %)", used_of_capacity(memory.peak, memory.capacity), used * 100),
      memory.fits ? Paint::good : Paint::bad);
  for (int i = 0; i < sim::memory_part_count; ++i) {
    const base::Bytes part = memory.parts[static_cast<std::size_t>(i)];
    if (part.count() == 0) continue;
    page.row(sim::name_of(static_cast<sim::MemoryPart>(i)), base::format_bytes(part),
             ratio(part.as_double(), memory.capacity.as_double()), label_width);
  }
  page.entry("as counted", fmt::format("{} in tensors, {} reserved by the allocator, {} on the GPU",
                                       base::format_bytes(sim::allocated(memory.parts)),
                                       base::format_bytes(sim::reserved(memory.parts)),
                                       base::format_bytes(sim::on_device(memory.parts))));
  if (!memory.moment.task.empty())
    page.entry("fullest at", fmt::format("{} ({:.0f} % of the step)", printable(memory.moment.task),
                                         100 * memory.moment.share));
  std::string stages;
  for (const sim::StageMemory& stage : memory.stages)
    stages += fmt::format("{}{}", stages.empty() ? "" : ", ", base::format_bytes(stage.device));
  if (memory.stages.size() > 1) page.entry("by stage", stages);
}

void where_time_goes(Page& page, const sim::Report& report) {
  const sim::Breakdown& b = report.breakdown;
  const std::array<std::pair<std::string_view, base::Seconds>, 15> parts{
      {{"forward", b.forward},
       {"backward", b.backward},
       {"recompute", b.recompute},
       {"waits: tensor parallel", b.tensor_exposed},
       {"waits: context parallel", b.context_exposed},
       {"waits: experts", b.expert_exposed},
       {"waits: gradients", b.data_exposed},
       {"waits: parameters", b.parameter_exposed},
       {"waits: stage messages", b.pipeline_exposed},
       {"pipeline bubble", b.bubble},
       {"optimizer", b.optimizer},
       {"waits: host", b.host},
       {"waits: memory", b.allocator},
       {"slowed by collectives", b.slowed},
       {"other", b.other}}};
  page.heading("Where the time goes (average rank)");
  for (const auto& [name, time] : parts)
    if (time > base::Seconds())
      page.row(name, fmt::format("{} ms", three_digits(time.ms())), ratio(time.s(), b.total().s()),
               24);
}

/// "backward" as it is; what is said between ranks by what it is for.
std::string_view spent_on(std::string_view kind) {
  static constexpr std::pair<std::string_view, std::string_view> words[] = {
      {"tensor", "tensor-parallel collectives"},
      {"context", "context-parallel collectives"},
      {"expert", "exchange with experts"},
      {"data", "gradient reduction"},
      {"parameter", "parameter gathering"},
      {"pipeline", "stage messages"},
      {"host", "host launches"},
      {"allocator", "waiting for memory"},
      {"slowed", "kernels beside collectives"},
      {"wait", "waiting"}};
  for (const auto& [name, said] : words)
    if (name == kind) return said;
  return kind;
}

/// "77 % backward, 18 % forward, 3 % stage messages; 70 % of it on stage 3": kinds of a fiftieth
/// at least, and the rank class with most of the path where there are several.
std::string critical_path_text(const sim::Report& report) {
  constexpr double share_min = 0.02;
  std::vector<std::pair<std::string, base::Seconds>> kinds;
  std::vector<std::pair<std::string, base::Seconds>> classes;
  const auto add = [](auto& sums, const std::string& name, base::Seconds time) {
    const auto known = std::find_if(sums.begin(), sums.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    if (known == sums.end())
      sums.emplace_back(name, time);
    else
      known->second += time;
  };
  for (const sim::PathPart& part : report.critical_path) {
    add(kinds, part.kind, part.time);
    add(classes, part.rank_class, part.time);
  }
  for (auto* sums : {&kinds, &classes})
    std::stable_sort(sums->begin(), sums->end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
  const auto percent = [&](base::Seconds time) { return 100 * ratio(time.s(), report.step.s()); };
  std::string text;
  for (const auto& [kind, time] : kinds)
    if (percent(time) >= 100 * share_min)
      text += fmt::format("{}{:.0f} % {}", text.empty() ? "" : ", ", percent(time), spent_on(kind));
  if (classes.size() > 1)
    text += fmt::format("; {:.0f} % of it on {}", percent(classes.front().second),
                        classes.front().first);
  return text;
}

/// The changes that help most.
void what_if(Page& page, const sim::Report& report) {
  constexpr std::size_t shown = 3;
  if (report.what_if.empty()) return;
  page.heading("What would help (the step simulated again, one thing changed)");
  for (std::size_t i = 0; i < std::min(shown, report.what_if.size()); ++i) {
    const sim::ChangedStep& one = report.what_if[i];
    page.line(fmt::format("  {}{:>12}{:>+7.1f} %", fit(one.change, 40), time_text(one.step),
                          100 * (one.step / report.step - 1)));
  }
}

void links(Page& page, const std::vector<sim::LinkLoad>& links) {
  constexpr std::size_t shown = 5;
  if (links.empty()) return;
  const bool binds = links.front().lost > base::Seconds();
  page.heading(binds ? "Links: those that bind, then the busiest (share of the step in use)"
                     : "Busiest links (share of the step in use)");
  for (std::size_t i = 0; i < std::min(shown, links.size()); ++i) {
    const sim::LinkLoad& link = links[i];
    const std::string alike =
        link.alike > 1 ? fmt::format(", {} alike", link.alike) : std::string();
    page.row(link.name + alike, base::format_bytes(link.bytes), link.utilisation, 40);
  }
}

void sources(Page& page, const std::vector<sim::SourceShare>& sources) {
  if (sources.empty()) return;
  page.heading("What the durations rest on (share, spread)");
  for (const sim::SourceShare& source : sources) {
    std::string numbers =
        fmt::format("  {:>5.1f} %  ±{:>5.1f} %  ", source.share * 100, source.spread * 100);
    const int used = width_of(numbers);
    for (const std::string& part : wrap(printable(source.name), page.width - used)) {
      page.line(numbers + part);
      numbers.assign(static_cast<std::size_t>(used), ' ');
    }
  }
}

void diagnostics(Page& page, const base::Diagnostics& diagnostics) {
  if (diagnostics.empty()) return;
  page.heading("Warnings and notes");
  for (const base::Diagnostic& diagnostic : diagnostics) {
    const bool note = diagnostic.severity == base::Severity::note;
    std::string indent = "  ";
    for (const std::string& part : wrap(printable(diagnostic.format()), page.width - 4)) {
      page.line(indent + painted(part, note ? Paint::faint : Paint::warn, page.colour));
      indent = "    ";
    }
  }
}

}  // namespace

std::string report_text(const sim::Report& report, const TextOptions& options) {
  Page page{std::max(options.width, width_min), options.colour, {}};
  headline(page, report);
  what_was_simulated(page, report);
  memory(page, report.memory);
  where_time_goes(page, report);
  if (!report.bottleneck.empty()) {
    page.text += '\n';
    page.entry("bottleneck", report.bottleneck, Paint::strong);
  }
  if (const std::string path = critical_path_text(report); !path.empty()) {
    page.text += '\n';
    page.entry("crit. path", path);
  }
  if (!report.binding_link.empty()) {
    page.text += '\n';
    page.entry("network", report.binding_link, Paint::strong);
  }
  if (report.sm_share > 0 || report.memory_share > 0) {
    page.text += '\n';
    page.entry("overlap",
               fmt::format("kernels beside collectives lose up to {:.0f} % of the SMs and "
                           "{:.0f} % of the memory bandwidth",
                           report.sm_share * 100, report.memory_share * 100));
  }
  if (report.held_up > base::Seconds{})
    page.entry("held up", fmt::format("collectives beside kernels take {} longer, all together",
                                      time_text(report.held_up)));
  what_if(page, report);
  links(page, report.links);
  sources(page, report.sources);
  diagnostics(page, report.diagnostics);
  return page.text;
}

}  // namespace viz
