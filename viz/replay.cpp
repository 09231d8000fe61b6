#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/quantity.hpp"
#include "viz/calibration.hpp"
#include "viz/plot.hpp"
#include "viz/terminal.hpp"

namespace viz {

namespace {

using calibrate::Replay;
using calibrate::ReplayedSweep;
using Json = nlohmann::ordered_json;

double largest_difference(const ReplayedSweep& sweep) {
  double most = 0;
  for (const ReplayedSweep::Row& row : sweep.rows)
    most = std::max(most, std::abs(row.difference()));
  return most;
}

std::string time_text(double seconds) {
  return base::format_seconds(base::Seconds::from_s(seconds));
}

}  // namespace

std::string replay_text(const Replay& replay) {
  std::string out;
  for (const ReplayedSweep& sweep : replay.sweeps) {
    out += fmt::format("{}; on {}\n  {:>12} {:>12} {:>12} {:>9}\n", printable(sweep.name),
                       printable(sweep.machine), "size", "measured", "simulated", "");
    for (const ReplayedSweep::Row& row : sweep.rows)
      out += fmt::format("  {:>12} {:>12} {:>12} {:>+7.2f} %\n",
                         base::format_bytes(base::Bytes::from_double(row.bytes)),
                         time_text(row.measured_s), time_text(row.simulated_s),
                         100 * row.difference());
  }
  if (!replay.left_out.empty()) out += "left out\n";
  for (const calibrate::NotReplayed& one : replay.left_out)
    out += fmt::format("  {}: {}\n", printable(one.name), one.reason);
  return out;
}

std::string replay_json(const Replay& replay) {
  Json json{{"schema", "foreshard.replay.v1"}};
  json["sweeps"] = Json::array();
  for (const ReplayedSweep& sweep : replay.sweeps) {
    Json rows = Json::array();
    for (const ReplayedSweep::Row& row : sweep.rows)
      rows.push_back(
          {{"bytes", row.bytes}, {"measured_s", row.measured_s}, {"simulated_s", row.simulated_s}});
    json["sweeps"].push_back({{"name", sweep.name},
                              {"machine", sweep.machine},
                              {"largest_difference", largest_difference(sweep)},
                              {"rows", std::move(rows)}});
  }
  json["left_out"] = Json::array();
  for (const calibrate::NotReplayed& one : replay.left_out)
    json["left_out"].push_back({{"name", one.name}, {"reason", one.reason}});
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string replay_svg(const Replay& replay) {
  std::vector<Panel> panels;
  for (const ReplayedSweep& sweep : replay.sweeps) {
    const std::size_t comma = sweep.name.find(", ");
    Panel panel{sweep.name.substr(0, comma),
                fmt::format("{}; at most {:.1f} % off",
                            comma == std::string::npos ? "" : sweep.name.substr(comma + 2),
                            100 * largest_difference(sweep)),
                {},
                {}};
    for (const ReplayedSweep::Row& row : sweep.rows) {
      panel.points.emplace_back(row.bytes, row.measured_s);
      panel.line.emplace_back(row.bytes, row.simulated_s);
    }
    panels.push_back(std::move(panel));
  }
  return times_svg(panels, "measured", "simulated");
}

}  // namespace viz
