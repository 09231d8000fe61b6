#pragma once

#include <string>
#include <vector>

#include "topology/difference.hpp"
#include "topology/found_cluster.hpp"
#include "topology/survey.hpp"

namespace viz {

/// What a cluster has, for people: inventory, levels with their fragmentation, network, what is
/// alike, and what is not as its neighbours are.
std::string cluster_survey_text(const topology::FoundCluster& found,
                                const topology::Survey& survey);

/// "foreshard.survey.v1": the same. Rates in bit/s.
std::string cluster_survey_json(const topology::FoundCluster& found,
                                const topology::Survey& survey);

/// What changed between two dumps, a line each; "no difference" when nothing did.
std::string cluster_difference_text(const std::vector<topology::Change>& changes);

/// "foreshard.cluster_diff.v1".
std::string cluster_difference_json(const std::vector<topology::Change>& changes);

}  // namespace viz
