#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/score.hpp"

/// What the scores of all tables share. Not for use outside viz.
namespace viz {

/// Figures of no rows are null, for a mean over nothing is no number.
nlohmann::ordered_json figures_json(const base::ScoreFigures& figures);

/// Those of every class: "gpu" -> "H100-SXM5-80GB" -> figures.
nlohmann::ordered_json classes_json(
    const std::map<std::string, std::map<std::string, base::ScoreFigures>>& by);

nlohmann::ordered_json unexpressed_json(const std::vector<base::UnexpressedRow>& rows);

/// The keys that every score has, with `schema` first.
nlohmann::ordered_json score_keys(const base::Score& score);

/// The heading of tables of `figures_row`.
std::string figures_heading();
std::string figures_row(std::string_view name, const base::ScoreFigures& figures);

/// Rows of every class under the name of its kind.
std::string classes_text(
    const std::map<std::string, std::map<std::string, base::ScoreFigures>>& by);

/// How many rows were left out, by reason; empty when none.
std::string unexpressed_text(const std::vector<base::UnexpressedRow>& rows);

}  // namespace viz
