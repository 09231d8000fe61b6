#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/quantity.hpp"
#include "sim/compare/difference.hpp"
#include "viz/comparison.hpp"
#include "viz/digits.hpp"
#include "viz/search.hpp"
#include "viz/table.hpp"
#include "viz/terminal.hpp"

namespace viz {

namespace {

using sim::compare::Comparison;
using sim::compare::PlanForecast;
using sim::compare::Ranked;

constexpr int width_min = 60;
constexpr std::size_t reasons_max = 10;  ///< why combinations are refused

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

/// No forecast is certain.
std::string probability(double p) {
  if (p > 0.99) return "> 99 %";
  if (p < 0.01) return "< 1 %";
  return fmt::format("{:.0f} %", 100 * p);
}

/// "16.4 to 18.9 s": the unit once where it is the same.
std::string interval(const PlanForecast& plan) {
  std::string from = time_text(plan.step_p10);
  const std::string to = time_text(plan.step_p90);
  const std::string unit = from.substr(from.find(' '));
  if (to.ends_with(unit)) from.resize(from.size() - unit.size());
  return fmt::format("{} to {}", from, to);
}

std::string plural(std::size_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

class Page {
 public:
  Page(const Comparison& comparison, std::size_t top, const TextOptions& options)
      : comparison_(comparison),
        shown_(std::min(top, comparison.plans.size())),
        width_(std::max(options.width, width_min)),
        colour_(options.colour),
        fits_(comparison.plans.front().forecast.fits) {
    const PlanForecast& first = comparison.plans.front().forecast;
    for (const Ranked& one : comparison.plans) {
      same_tokens_ &= one.forecast.tokens == first.tokens;
      same_capacity_ &= one.forecast.memory_capacity == first.memory_capacity;
    }
  }

  std::string text() {
    head();
    rows();
    legend();
    differences();
    refusals();
    diagnostics();
    return std::move(text_);
  }

 private:
  void line(std::string_view content) {
    text_ += content;
    text_ += '\n';
  }
  void heading(std::string_view title) {
    text_ += '\n';
    line(painted(title, Paint::strong, colour_));
  }
  /// Words that go on under themselves, behind `first`.
  void paragraph(std::string first, std::string_view words) {
    const int indent = width_of(first);
    for (const std::string& part : wrap(printable(words), width_ - indent)) {
      line(first + part);
      first.assign(static_cast<std::size_t>(indent), ' ');
    }
  }

  void head() {
    const std::size_t refused = comparison_.refused.size();
    line(painted(printable(comparison_.scenario), Paint::strong, colour_));
    text_ += '\n';
    paragraph("  model    ", comparison_.model);
    paragraph("  cluster  ", comparison_.cluster);
    paragraph("  plans    ",
              fmt::format("{}, {}{}", comparison_.plans.size(), name_of(comparison_.fidelity),
                          refused == 0 ? std::string()
                                       : fmt::format("; {} refused", plural(refused, "combination",
                                                                            "combinations"))));
    if (comparison_.search) {
      text_ += '\n';
      for (const auto& [word, sentence] : search_lines(*comparison_.search))
        paragraph(fmt::format("  {:<11}", word), sentence);
    }
    text_ += '\n';
  }

  void rows() {
    const bool priced = !comparison_.currency.empty();
    std::vector<Column> columns{{"", true},     {"plan", false, 48},  {"GPUs", true},
                                {"step", true}, {"p10 to p90", true}, {"tokens/s", true},
                                {"MFU", true},  {"memory", true}};
    if (!same_tokens_) columns.insert(columns.begin() + 3, {"tokens/step", true});
    if (priced) columns.push_back({"cost", true});
    if (fits_) columns.push_back({"1 quicker", true});
    std::vector<std::vector<std::string>> cells;
    for (std::size_t i = 0; i < shown_; ++i) {
      const Ranked& one = comparison_.plans[i];
      const PlanForecast& plan = one.forecast;
      std::vector<std::string> row{fmt::format("{}{}",
                                               !plan.fits   ? "! "
                                               : one.pareto ? "* "
                                                            : "",
                                               i + 1),
                                   plan.name,
                                   std::to_string(plan.gpus),
                                   time_text(plan.step),
                                   interval(plan),
                                   base::format_count(plan.tokens_per_s),
                                   percent(plan.mfu),
                                   same_capacity_
                                       ? base::format_bytes(plan.memory_peak)
                                       : used_of_capacity(plan.memory_peak, plan.memory_capacity)};
      if (!same_tokens_)
        row.insert(row.begin() + 3, base::format_count(static_cast<double>(plan.tokens)));
      if (priced) row.push_back(base::format_count(plan.cost().value_or(0)));
      if (fits_) row.push_back(i == 0 || !plan.fits ? "" : probability(one.first_is_quicker));
      cells.push_back(std::move(row));
    }
    text_ += table(columns, cells);
    left_out();
  }

  void left_out() {
    const std::size_t more = comparison_.plans.size() - shown_;
    if (more == 0) return;
    const auto rest = comparison_.plans.begin() + static_cast<std::ptrdiff_t>(shown_);
    const auto fit = std::count_if(rest, comparison_.plans.end(),
                                   [](const Ranked& one) { return one.forecast.fits; });
    const auto front =
        std::count_if(rest, comparison_.plans.end(), [](const Ranked& one) { return one.pareto; });
    line(fmt::format("  ... and {} (--top): {} fit, {} of them on the Pareto front",
                     plural(more, "more", "more"), fit, front));
  }

  void legend() {
    text_ += '\n';
    const auto any = [&](auto&& test) {
      const auto end = comparison_.plans.begin() + static_cast<std::ptrdiff_t>(shown_);
      return std::any_of(comparison_.plans.begin(), end, test);
    };
    if (any([](const Ranked& one) { return one.pareto; }))
      paragraph("  *          ",
                "on the Pareto front: no plan is as good in time, peak memory and GPUs and better "
                "in one of them");
    if (any([](const Ranked& one) { return !one.forecast.fits; }))
      paragraph("  !          ", "does not fit in memory");
    if (fits_)
      paragraph(
          "  1 quicker  ",
          fmt::format("probability that plan 1 takes less time than this one; of the variance "
                      "of each source's error {:.0f} % are taken to be common to both",
                      100 * sim::compare::common_share));
    if (same_capacity_)
      paragraph(
          "  memory     ",
          fmt::format("peak of the fullest rank, of {}",
                      base::format_bytes(comparison_.plans.front().forecast.memory_capacity)));
    if (!same_tokens_)
      paragraph("  order      ",
                "by time a token, since the plans train different numbers of tokens a step");
    price();
  }

  void price() {
    if (comparison_.currency.empty())
      return paragraph("  cost       ",
                       "not known: set price: {gpu_hour: 2.5, currency: USD} in the scenario");
    const auto price_of = [](const Ranked& one) { return one.forecast.gpu_hour.value_or(0); };
    const double first = price_of(comparison_.plans.front());
    const bool one_price = std::all_of(comparison_.plans.begin(), comparison_.plans.end(),
                                       [&](const Ranked& one) { return price_of(one) == first; });
    paragraph(
        "  cost       ",
        fmt::format("{} for 1e12 tokens, {}; of the GPUs that a plan uses", comparison_.currency,
                    one_price ? fmt::format("at {:.10g} a GPU and hour", first)
                              : "at the price of each plan's GPUs"));
  }

  void differences() {
    if (!fits_ || shown_ < 2 || !comparison_.plans[1].forecast.fits) return;
    const PlanForecast& best = comparison_.plans.front().forecast;
    heading(same_tokens_
                ? "Why the others take longer than plan 1 (a step of an average rank)"
                : "Why the others take longer than plan 1 (an average rank, for as many tokens)");
    for (std::size_t i = 1; i < shown_ && comparison_.plans[i].forecast.fits; ++i)
      paragraph(fmt::format("  {:>3}  ", i + 1),
                sentence(difference(comparison_.plans[i].forecast, best)));
    text_ += '\n';
    paragraph("    1  ", best.bottleneck);
  }

  void refusals() {
    if (comparison_.refused.empty()) return;
    heading("Combinations that are no plans here");
    std::vector<std::pair<std::string, std::vector<std::string>>> reasons;  // and who has them
    for (const sim::compare::Refused& one : comparison_.refused) {
      const auto why = std::find_if(
          one.reasons.begin(), one.reasons.end(),
          [](const base::Diagnostic& d) { return d.severity == base::Severity::error; });
      const auto known = std::find_if(reasons.begin(), reasons.end(), [&](const auto& reason) {
        return reason.first == why->message;
      });
      if (known != reasons.end())
        known->second.push_back(one.name);
      else
        reasons.push_back({why->message, {one.name}});
    }
    std::stable_sort(reasons.begin(), reasons.end(), [](const auto& a, const auto& b) {
      return a.second.size() > b.second.size();
    });
    const std::size_t told = std::min(reasons_max, reasons.size());
    for (std::size_t i = 0; i < told; ++i) {
      const auto& [message, names] = reasons[i];
      paragraph(fmt::format("  {:>3}  ", names.size()),
                fmt::format("{} ({}{})", message, names.size() > 1 ? "first: " : "", names[0]));
    }
    if (told < reasons.size())
      line(fmt::format("  ... and {}; --json has all",
                       plural(reasons.size() - told, "more reason", "more reasons")));
  }

  void diagnostics() {
    if (comparison_.diagnostics.empty()) return;
    heading("Warnings and notes");
    for (const base::Diagnostic& one : comparison_.diagnostics) {
      const bool note = one.severity == base::Severity::note;
      std::string indent = "  ";
      for (const std::string& part : wrap(printable(one.format()), width_ - 4)) {
        line(indent + painted(part, note ? Paint::faint : Paint::warn, colour_));
        indent = "    ";
      }
    }
  }

  const Comparison& comparison_;
  std::size_t shown_;
  int width_;
  bool colour_;
  bool fits_;  ///< any of them
  bool same_tokens_ = true;
  bool same_capacity_ = true;
  std::string text_;
};

}  // namespace

std::string comparison_text(const Comparison& comparison, std::size_t top,
                            const TextOptions& options) {
  return Page(comparison, top, options).text();
}

}  // namespace viz
