#include "calibrate/nccl/constants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "base/check.hpp"

namespace calibrate::nccl {

namespace {

constexpr PerProtocol none{0, 0, 0};

constexpr Constants make_2_28() {
  Constants c{};
  // Order: tree, ring, CollNet direct, CollNet chain, NVLS, NVLS tree, PAT.
  c.base_latency = {{{6.8, 14, 8.4}, {6.6, 14, 8.4}, none, none, none, none, {8, 8, 8}}};
  c.nvlink_latency = {{{0.6, 1.25, 4.0},
                       {0.6, 1.9, 3.4},
                       {0, 0, 3.7},
                       {0, 0, 2.8},
                       {0, 0, 25},
                       {0, 0, 25},
                       {0, 0, 4}}};
  c.pcie_latency = {
      {{1.0, 1.9, 4.0}, {1.0, 2.5, 5.7}, {0, 0, 3.7}, {0, 0, 2.8}, none, none, {0, 0, 4}}};
  c.network_latency = {{{5.0, 8.5, 14},
                        {2.7, 4.0, 14},
                        {0, 0, 31},
                        {0, 0, 30},
                        {0, 0, 18},
                        {0, 0, 20.9},
                        {0, 0, 14}}};

  c.ll = {{{39, 39, 20.4}, {87.7, 22.5, 19}, {141, 45, 35}, {282, 90, 70}}};
  c.ring_ll128 = {{{20, 20, 20}, {20, 20, 20}, {36.7, 36.7, 36.7}, {73.4, 34.6, 73.4}}};
  c.tree_ll128 = {{{20, 20, 20}, {20, 20, 20}, {36.7, 36.7, 29}, {55.6, 31.67, 20}}};
  c.tree = {{{26.5, 18.5, 10}, {24, 23.6, 17.8}, {38.7, 41.4, 36}, {70, 42.8, 24}}};
  c.nvls_tree = {{{26.5, 18.5, 10}, {24, 23.6, 17.8}, {0, 57.7, 45.5}, {0, 96, 43.8}}};
  c.nvls_efficiency = {0, 0, 0.85, 0.74};

  c.tree_correction = {{
      {1, 1, 1, 1, .9, .8, .7, .7, .7, .7, .6, .5, .4, .4, .5, .6, .7, .8, .9, 1, 1, 1, 1, 1},
      {1, 1, 1, 1, 1, .9, .8, .8, .8, .7, .6, .6, .6, .6, .6, .6, .8, .9, .9, .9, .9, 1, 1, 1},
      {.9, .9, .9, .9, .9, .9, .9, .8, .7, .6, .6, .5,
       .5, .5, .5, .6, .7, .8, .7, .7, .8, .9, .9, .9},
  }};
  c.tree_corrections = 23;
  return c;
}

constexpr Constants make_2_29() {
  Constants c = make_2_28();
  c.ring_ll128[3] = {40, 40, 40};
  c.tree_corrections = 24;
  c.tree_correction_for_nvls_tree = true;
  return c;
}

constexpr Constants make_2_30() {
  Constants c = make_2_29();
  c.nvls_tree[3][2] = 80;
  return c;
}

constexpr std::array<std::pair<std::string_view, Version>, 3> version_names{
    {{"2.28", Version::v2_28}, {"2.29", Version::v2_29}, {"2.30", Version::v2_30}}};
constexpr std::array<Constants, 3> by_version{make_2_28(), make_2_29(), make_2_30()};

}  // namespace

std::size_t index_of(CollectiveAlgorithm algorithm) {
  const auto* found = std::find(algorithms.begin(), algorithms.end(), algorithm);
  CHECK_INVARIANT(found != algorithms.end());
  return static_cast<std::size_t>(found - algorithms.begin());
}

std::size_t index_of(Protocol protocol) {
  const auto* found = std::find(protocols.begin(), protocols.end(), protocol);
  CHECK_INVARIANT(found != protocols.end());
  return static_cast<std::size_t>(found - protocols.begin());
}

std::size_t generation_of(int compute_capability) {
  if (compute_capability >= 100) return 3;
  if (compute_capability >= 90) return 2;
  return compute_capability >= 80 ? 1 : 0;
}

std::size_t column_of(int nodes) { return static_cast<std::size_t>(std::clamp(nodes, 1, 3) - 1); }

base::Result<Version> version_of(std::string_view text) {
  std::vector<std::string_view> names;
  for (const auto& [name, version] : version_names) {
    names.push_back(name);
    const bool patch = text.size() > name.size() + 1 && text.starts_with(name) &&
                       text[name.size()] == '.' &&
                       text.find_first_not_of("0123456789", name.size() + 1) == text.npos;
    if (text == name || patch) return version;
  }
  return tl::unexpected(base::Diagnostics{
      {{}, fmt::format("no constants of NCCL '{}'", text), base::suggest(text, names)}});
}

std::string_view name_of(Version version) {
  return version_names.at(static_cast<std::size_t>(version)).first;
}

const Constants& constants_of(Version version) {
  return by_version.at(static_cast<std::size_t>(version));
}

}  // namespace calibrate::nccl
