#include "calibrate/nccl/measured_ramp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/check.hpp"
#include "base/document.hpp"
#include "base/map_reader.hpp"
#include "calibrate/nccl/tuning.hpp"

namespace calibrate::nccl {

namespace {

using base::MapReader;
using base::Range;

void read_operations(MapReader& reader, std::vector<Collective>& out) {
  std::vector<std::string> words;
  if (!reader.require("operations", words)) return;
  for (const std::string& word : words) {
    const auto found = std::find_if(base::collective_names.begin(), base::collective_names.end(),
                                    [&](const auto& known) { return known.first == word; });
    if (found == base::collective_names.end())
      reader.error("operations", fmt::format("unknown collective '{}'", word));
    else
      out.push_back(found->second);
  }
}

Ramp read_ramp(MapReader& reader) {
  constexpr Range<int> from_one{1, 1'000'000'000};
  constexpr Range<double> deviation{0.0, 10.0};
  Ramp ramp;
  reader.read("architecture", ramp.architecture);
  reader.read_choice("nic_kind", ramp.nic_kind, topology::nic_kind_names);
  if (reader.has("architecture") == reader.has("nic_kind"))
    reader.error("architecture", "a fit is for one 'architecture' or for one 'nic_kind'");
  read_operations(reader, ramp.operations);
  reader.require("source", ramp.source);
  reader.require("points", ramp.points, from_one);
  reader.require("nodes", ramp.nodes, from_one);
  // No less than the model's start, so that a large share cannot make small messages free.
  reader.require("start", ramp.start, Range<double>{1.0, 100.0});
  reader.require("share", ramp.share, Range<double>{0.05, 1.5});
  reader.require("fill", ramp.fill, Range<double>{0.0, 1000.0});
  reader.require("fill_half", ramp.fill_half, Range<double>{1e-3, 1000.0});
  reader.read("hop", ramp.hop);
  reader.require("start_spread", ramp.start_spread, deviation);
  reader.require("wire_spread", ramp.wire_spread, deviation);
  reader.finish();
  return ramp;
}

bool measured(const Ramp& ramp, Collective op) {
  return std::find(ramp.operations.begin(), ramp.operations.end(), op) != ramp.operations.end();
}

bool is_at(const Ramp& ramp, const GroupShape& shape) {
  if (shape.nodes > 1) return ramp.architecture.empty() && ramp.nic_kind == shape.node->nic_kind;
  const topology::ScaleUpKind links = shape.node->scale_up;
  return (links == topology::ScaleUpKind::nvswitch || links == topology::ScaleUpKind::mesh) &&
         ramp.architecture == shape.gpu->architecture;
}

}  // namespace

base::Seconds Ramp::time(base::Seconds model, base::Seconds least, int on_nodes) const {
  CHECK_INVARIANT(least > base::Seconds{} && model >= least);
  const double wire = (model - least).s();
  const double filling = wire > 0 ? fill * least.s() * wire / (wire + fill_half * least.s()) : 0;
  return base::Seconds::from_s(start * least.s() + wire / share + filling) + hop * (on_nodes - 1);
}

double Ramp::spread(base::Seconds model, base::Seconds least, int on_nodes) const {
  const double starting = start * least.s() / time(model, least, on_nodes).s();
  return std::hypot(starting * start_spread, (1 - starting) * wire_spread);
}

const Ramp* Ramps::find(Collective op, const GroupShape& shape) const {
  if (shape.node == nullptr || shape.gpu == nullptr) return nullptr;
  const auto one = [&](Collective wanted) -> const Ramp* {
    const auto found = std::find_if(all.begin(), all.end(), [&](const Ramp& ramp) {
      return measured(ramp, wanted) && is_at(ramp, shape);
    });
    return found != all.end() ? &*found : nullptr;
  };
  const Ramp* ramp = one(op);
  if (ramp != nullptr || !(has_table(op) || op == Collective::barrier)) return ramp;
  ramp = op == Collective::barrier ? nullptr : one(Collective::all_gather);
  return ramp != nullptr ? ramp : one(Collective::all_reduce);
}

bool covers(const Ramp& ramp, Collective op, const GroupShape& shape) {
  return measured(ramp, op) && shape.nodes <= ramp.nodes;
}

base::Result<Ramps> read_ramps(std::string_view yaml, const std::string& file) {
  const base::Result<base::Document> document = base::parse_yaml(yaml, file);
  if (!document) return tl::unexpected(document.error());
  base::Diagnostics problems;
  MapReader root(*document, document->root, "", problems);
  Ramps ramps;
  for (MapReader& reader : root.maps("ramps")) ramps.all.push_back(read_ramp(reader));
  root.finish();
  if (base::has_errors(problems)) return tl::unexpected(problems);
  return ramps;
}

base::Result<Ramps> load_ramps(const std::string& hardware_folder) {
  const std::string file = hardware_folder + "/collectives.yaml";
  if (!std::filesystem::exists(file)) return Ramps{};
  const base::Result<std::string> text = base::read_file(file);
  if (!text) return tl::unexpected(text.error());
  return read_ramps(*text, file);
}

}  // namespace calibrate::nccl
