#include "viz/calibration_diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "viz/table.hpp"
#include "viz/terminal.hpp"

namespace viz {

namespace {

using Json = nlohmann::ordered_json;
using calibrate::store::ChangedGroup;
using calibrate::store::ChangedRow;
using calibrate::store::Difference;
using calibrate::store::MeasuredGroup;
using calibrate::store::Verdict;

std::string percent(double drift) {
  return fmt::format("{:.1f} %", std::abs(calibrate::store::change_of(drift)) * 100);
}

std::string_view direction(double drift) { return drift > 0 ? "slower" : "faster"; }

std::string verdict_text(const ChangedGroup& group) {
  switch (group.verdict) {
    case Verdict::only_in_a: return "not comparable: only in A";
    case Verdict::only_in_b: return "not comparable: only in B";
    case Verdict::unsure:
      return fmt::format("{} {}, spread {}", percent(group.drift), direction(group.drift),
                         group.error ? "too wide" : "unknown");
    case Verdict::slower:
    case Verdict::faster: return fmt::format("{} {}", percent(group.drift), direction(group.drift));
    case Verdict::same: break;
  }
  const int slower = group.count(Verdict::slower);
  const int faster = group.count(Verdict::faster);
  if (slower + faster == 0) return "same";
  return fmt::format("same on the whole; sizes: {} slower, {} faster", slower, faster);
}

std::string place_text(const MeasuredGroup& group) {
  return group.collective ? fmt::format("{} on {}", group.placement.ranks, group.placement.nodes)
                          : fmt::format("{} at once", group.placement.ranks);
}

/// What can be said of everything that was compared.
std::string overall_text(const Difference& all) {
  if (all.compared == 0) return "nothing was measured in both";
  if (all.drifted())
    return fmt::format("drift: {} slower and {} faster of {} things, median {} {}", all.slower,
                       all.faster, all.compared, percent(all.drift), direction(all.drift));
  if (all.unsure > 0)
    return fmt::format(
        "no sure drift: {} of {} things differ, but their spread is unknown or too wide",
        all.unsure, all.compared);
  return fmt::format("no drift: {} things are the same", all.compared);
}

Json json_of(const ChangedRow& row) {
  return {{"size", row.size},
          {"before_s", row.before},
          {"after_s", row.after},
          {"ratio", row.after / row.before},
          {"relative_error", row.error ? Json(*row.error) : Json()},
          {"verdict", name_of(row.verdict)}};
}

Json json_of(const MeasuredGroup& group) {
  Json json{{"what", group.what},   {"library", group.library}, {"device", group.device},
            {"dtype", group.dtype}, {"way", group.way},         {"ranks", group.placement.ranks}};
  if (group.collective) json["nodes"] = group.placement.nodes;
  return json;
}

Json json_of(const ChangedGroup& group) {
  Json rows = Json::array();
  for (const ChangedRow& row : group.rows) rows.push_back(json_of(row));
  Json json = json_of(group.of);
  json["beside"] = group.beside ? json_of(*group.beside) : Json();
  json["ratio"] = group.rows.empty() ? Json() : Json(std::exp(group.drift));
  json["relative_error"] = group.error ? Json(*group.error) : Json();
  json["verdict"] = name_of(group.verdict);
  json["only_in_a"] = group.only_in_a;
  json["only_in_b"] = group.only_in_b;
  json["sizes"] = rows;
  return json;
}

}  // namespace

std::string calibration_diff_text(const std::string& a, const std::string& b,
                                  const Difference& difference) {
  std::vector<std::vector<std::string>> rows;
  for (const ChangedGroup& group : difference.groups) {
    const MeasuredGroup& of = group.of;
    const std::string what = group.beside ? fmt::format("{} beside {} of {}", of.what,
                                                        group.beside->what, group.beside->library)
                                          : of.what;
    rows.push_back({what, of.way.empty() ? of.library : of.library + ", " + of.way, of.dtype,
                    place_text(of), std::to_string(group.rows.size()),
                    group.rows.empty() ? "" : fmt::format("{:.3f}", std::exp(group.drift)),
                    group.error ? fmt::format("{:.3f}", *group.error) : "", verdict_text(group)});
  }
  return fmt::format("A: {}\nB: {}\n{}\n\n", printable(a), printable(b), overall_text(difference)) +
         (rows.empty() ? ""
                       : table({{"what", false, 40},
                                {"library", false, 24},
                                {"dtype"},
                                {"ranks"},
                                {"sizes", true},
                                {"B / A", true},
                                {"+-", true},
                                {"verdict", false, 50}},
                               rows));
}

std::string calibration_diff_json(const std::string& a, const std::string& b,
                                  const Difference& difference) {
  Json groups = Json::array();
  for (const ChangedGroup& group : difference.groups) groups.push_back(json_of(group));
  const Json json{{"schema", "foreshard.calibration_diff.v1"},
                  {"a", a},
                  {"b", b},
                  {"compared", difference.compared},
                  {"slower", difference.slower},
                  {"faster", difference.faster},
                  {"unsure", difference.unsure},
                  {"drifted", difference.drifted()},
                  {"ratio", difference.compared > 0 ? Json(std::exp(difference.drift)) : Json()},
                  {"groups", groups}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace viz
