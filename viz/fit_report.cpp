#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/quantity.hpp"
#include "viz/calibration.hpp"
#include "viz/terminal.hpp"

namespace viz {

namespace {

using calibrate::fit::Report;
using calibrate::fit::ShapeFit;
using calibrate::fit::SizeFit;
using Json = nlohmann::ordered_json;

std::string percent(double share) { return fmt::format("{:.1f} %", share * 100); }

std::string size_text(double bytes) { return base::format_bytes(base::Bytes::from_double(bytes)); }

/// "3 of 33 sizes, 8 B to 16.0 GiB; spread 2.1 %; held out 1.2 % (interpolated 1.2 %, fitted 3 %)".
std::string quality_text(const SizeFit& fit, int rows) {
  std::string out =
      fmt::format("{} rows, {} sizes, {} to {}; residuals {}", rows, fit.points().size(),
                  size_text(fit.points().front().bytes), size_text(fit.points().back().bytes),
                  percent(fit.residual_spread()));
  if (const auto& held_out = fit.held_out())
    out += fmt::format("; held out: lines {}, fit {}, so {} between sizes",
                       percent(held_out->interpolated), percent(held_out->fitted),
                       calibrate::name_of(fit.between()));
  return out;
}

/// A line for each range; `factor` makes bandwidths those of the bus.
std::string ranges_text(const SizeFit& fit, double factor) {
  std::string out;
  for (const auto& range : fit.line().segments())
    out += fmt::format("    {:>10} to {:>10}  alpha {:>10.3f} us  {}\n", size_text(range.from),
                       size_text(range.to), range.alpha * 1e6,
                       range.beta > 0   ? fmt::format("{:.3f} GB/s", factor / range.beta * 1e-9)
                       : range.beta < 0 ? "to a quicker method"
                                        : "no growth");
  return out;
}

Json size_json(const SizeFit& fit, double factor) {
  Json json{{"sizes", fit.points().size()},
            {"min_bytes", fit.points().front().bytes},
            {"max_bytes", fit.points().back().bytes},
            {"residual_spread", fit.residual_spread()},
            {"between_sizes", calibrate::name_of(fit.between())}};
  json["held_out"] = Json();
  if (const auto& held_out = fit.held_out())
    json["held_out"] = {{"sizes", held_out->points},
                        {"interpolated_median_error", held_out->interpolated},
                        {"fitted_median_error", held_out->fitted},
                        {"spread", held_out->spread}};
  json["ranges"] = Json::array();
  for (const auto& range : fit.line().segments())
    json["ranges"].push_back(
        {{"from_bytes", range.from},
         {"to_bytes", range.to},
         {"alpha_us", range.alpha * 1e6},
         {"bandwidth_gb_s", range.beta > 0 ? Json(factor / range.beta * 1e-9) : Json()}});
  return json;
}

Json shape_json(const ShapeFit& fit) {
  return {{"shapes", fit.shapes().size()},
          {"formula_spread", fit.form_spread()},
          {"left_out_spread", fit.left_out_spread()}};
}

/// Every size that was measured, and what the line says of it.
Json points_json(const SizeFit& fit) {
  Json bytes = Json::array();
  Json measured = Json::array();
  Json line = Json::array();
  for (const calibrate::fit::Point& point : fit.points()) {
    bytes.push_back(point.bytes);
    measured.push_back(point.seconds);
    line.push_back(fit.line().at(point.bytes));
  }
  return {{"bytes", bytes}, {"measured_s", measured}, {"line_s", line}};
}

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

double factor_of(const calibrate::fit::CollectiveKey& key) {
  return base::bus_factor(key.op, key.placement.ranks);
}

}  // namespace

std::string fit_text(const Report& report) {
  std::string out;
  if (!report.collectives.empty()) out += "collectives (bandwidth of the bus)\n";
  for (const auto& [key, fitted] : report.collectives)
    out += fmt::format("  {}\n    {}\n{}", printable(describe(key, fitted.basis.versions())),
                       quality_text(fitted.fit.sizes(), fitted.basis.rows()),
                       ranges_text(fitted.fit.sizes(), factor_of(key)));
  if (!report.products.empty()) out += "matrix products\n";
  for (const auto& [key, fitted] : report.products) {
    const auto held_out = report.held_out.find(key);
    out += fmt::format("  {}\n    {} rows, {} shapes; formula {}, each shape from the others {}",
                       printable(describe(key, fitted.basis.versions())), fitted.basis.rows(),
                       fitted.fit.shapes().size(), percent(fitted.fit.form_spread()),
                       percent(fitted.fit.left_out_spread()));
    if (held_out != report.held_out.end())
      out += fmt::format("; half from the other half: median {}", percent(held_out->second.error));
    out += "\n";
  }
  if (!report.sizes.empty()) out += "kernels that move memory, by bytes of a launch\n";
  for (const auto& [key, fitted] : report.sizes)
    out += fmt::format("  {}\n    {}\n{}", printable(describe(key, fitted.basis.versions())),
                       quality_text(fitted.fit, fitted.basis.rows()), ranges_text(fitted.fit, 1));
  return out;
}

std::string parameters_json(const SizeFit& fit, double bus_factor) {
  return line_of(size_json(fit, bus_factor));
}

std::string parameters_json(const ShapeFit& fit) { return line_of(shape_json(fit)); }

std::string fit_json(const Report& report) {
  Json json{{"schema", "foreshard.fit.v1"}};
  json["collectives"] = Json::array();
  for (const auto& [key, fitted] : report.collectives) {
    Json row{{"name", describe(key, fitted.basis.versions())},
             {"device", key.device},
             {"library", key.library},
             {"operation", base::name_of(key.op)},
             {"algorithm", key.algorithm},
             {"protocol", key.protocol},
             {"ranks", key.placement.ranks},
             {"nodes", key.placement.nodes},
             {"ranks_per_node", key.placement.ranks_per_node},
             {"rows", fitted.basis.rows()}};
    row.update(size_json(fitted.fit.sizes(), factor_of(key)));
    row["bus_factor"] = factor_of(key);
    row["points"] = points_json(fitted.fit.sizes());
    json["collectives"].push_back(std::move(row));
  }
  json["products"] = Json::array();
  for (const auto& [key, fitted] : report.products) {
    const auto held_out = report.held_out.find(key);
    Json flop = Json::array();
    Json measured = Json::array();
    for (const calibrate::fit::Shape& shape : fitted.fit.shapes()) {
      flop.push_back(base::flop_of(shape.kernel).count());
      measured.push_back(shape.seconds);
    }
    Json row{{"name", describe(key, fitted.basis.versions())},
             {"device", key.device},
             {"kind", key.kind},
             {"dtype", base::name_of(key.dtype)},
             {"rows", fitted.basis.rows()},
             {"held_out_median_error",
              held_out == report.held_out.end() ? Json() : Json(held_out->second.error)}};
    row.update(shape_json(fitted.fit));
    row["points"] = {{"flop", std::move(flop)}, {"measured_s", std::move(measured)}};
    json["products"].push_back(std::move(row));
  }
  json["memory"] = Json::array();
  for (const auto& [key, fitted] : report.sizes) {
    Json row{{"name", describe(key, fitted.basis.versions())},
             {"device", key.device},
             {"kind", key.kind},
             {"rows", fitted.basis.rows()}};
    row.update(size_json(fitted.fit, 1));
    row["points"] = points_json(fitted.fit);
    json["memory"].push_back(std::move(row));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace viz
