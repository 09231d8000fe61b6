#include "cli/validate_training.hpp"

#include <stdexcept>
#include <utility>
#include <vector>

#include "calibrate/backend.hpp"
#include "cli/forecast.hpp"
#include "cli/workers.hpp"
#include "sim/preset.hpp"
#include "sim/training/framework.hpp"
#include "sim/training/row.hpp"
#include "sim/training/setting.hpp"

namespace cli {

namespace {

using sim::training::Row;

/// The peak as the row counts it: of rank 0 or of the fullest.
double counted_memory(const Row& row, sim::training::PrintedPeak printed,
                      const Forecast& forecast) {
  const bool reset = printed == sim::training::PrintedPeak::rank_0_after_backward;
  const auto parts = sim::peak_of_rank(forecast.graph, forecast.timeline,
                                       reset ? 0 : forecast.report.memory.worst_rank,
                                       reset ? sim::PeakOf::update : sim::PeakOf::step);
  if (row.memory_kind == "nvidia-smi") return sim::on_device(parts).as_double();
  if (row.memory_kind == "reserved") return sim::reserved(parts).as_double();
  return sim::allocated(parts).as_double();
}

double reserved_by_rank_0(const Forecast& forecast) {
  return sim::reserved(sim::peak_of_rank(forecast.graph, forecast.timeline, 0)).as_double();
}

sim::training::Forecast forecast_row(const Row& row, sim::training::PrintedPeak printed,
                                     const sim::Scenario& scenario,
                                     const calibrate::Calibrations& calibrations,
                                     sim::Fidelity fidelity) {
  const base::Result<Forecast> forecast = cli::forecast(scenario, calibrations, fidelity, {});
  if (!forecast) throw std::runtime_error(forecast.error().front().message);
  const sim::Report& report = forecast->report;
  return {.step_s = report.step.s(),
          .p10_s = report.step_p10.s(),
          .p90_s = report.step_p90.s(),
          .memory_bytes = counted_memory(row, printed, *forecast),
          .reserved_bytes = row.noted_reserved_gib ? reserved_by_rank_0(*forecast) : 0,
          .fits = report.memory.fits,
          .breakdown = report.breakdown};
}

}  // namespace

base::Result<sim::training::Score> score_training(
    const base::Csv& table, const std::shared_ptr<const topology::HardwareRegistry>& registry,
    const calibrate::Calibrations& calibrations, sim::Fidelity fidelity,
    const std::function<void(double)>& progress) {
  const auto rows = sim::training::read_rows(table);
  if (!rows) return tl::unexpected(rows.error());
  const auto backend = calibrate::make_backend({.hardware_folder = hardware_folder()});
  if (!backend) return tl::unexpected(backend.error());
  const auto frameworks =
      sim::training::Frameworks::read(sim::frameworks_folder(hardware_folder()));
  if (!frameworks) return tl::unexpected(frameworks.error());

  std::vector<base::UnexpressedRow> unexpressed;
  std::vector<const Row*> expressed;
  std::vector<sim::training::Setting> settings;
  for (const Row& row : *rows) {
    auto setting = sim::training::setting_of(row, *frameworks, *registry);
    if (!setting) {
      unexpressed.push_back({row.id, setting.error()});
    } else if (row.ran && !row.step_s) {
      unexpressed.push_back({row.id, "no step time"});
    } else {
      expressed.push_back(&row);
      settings.push_back(std::move(*setting));
    }
  }
  const auto forecasts = map_in_processes<sim::training::Forecast>(
      static_cast<int>(settings.size()),
      [&](int i) {
        const auto at = static_cast<std::size_t>(i);
        const Row& row = *expressed[at];
        return forecast_row(row, frameworks->of(row).peak,
                            sim::training::scenario_of(row, settings[at], registry, *backend),
                            calibrations, fidelity);
      },
      progress);
  std::vector<sim::training::ForecastRow> answered;
  for (std::size_t i = 0; i < forecasts.size(); ++i) {
    if (forecasts[i].failure.empty())
      answered.push_back({*expressed[i], forecasts[i].value, settings[i].inferred});
    else
      unexpressed.push_back({expressed[i]->id, forecasts[i].failure});
  }
  return sim::training::make_score(std::move(answered), std::move(unexpressed));
}

}  // namespace cli
