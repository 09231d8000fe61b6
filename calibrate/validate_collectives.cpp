#include "calibrate/validate_collectives.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>

#include "calibrate/collective_model.hpp"

namespace calibrate {

namespace {

double nic_gbps(const topology::NodeType& type) { return type.nic_rate.gbit() * type.nics; }

// Of the types with enough of these GPUs, the one whose NICs come nearest, then the smallest, then
// the first.
const topology::NodeType* node_type_for(const CollectiveRow& row, int ranks_per_node,
                                        const topology::HardwareRegistry& registry) {
  const topology::GpuSpec* gpu = registry.find_gpu(row.gpu);
  if (gpu == nullptr) return nullptr;
  const topology::NodeType* best = nullptr;
  double best_distance = std::numeric_limits<double>::infinity();
  for (const topology::NodeType& type : registry.nodes()) {
    if (type.gpu != gpu->name || type.gpus < ranks_per_node) continue;
    double distance = 0;
    if (row.nic_gbps_per_node > 0) distance = std::abs(nic_gbps(type) - row.nic_gbps_per_node);
    const bool smaller = best != nullptr && distance == best_distance && type.gpus < best->gpus;
    if (distance < best_distance || smaller) best = &type;
    best_distance = std::min(distance, best_distance);
  }
  return best;
}

std::string size_class(double bytes) {
  constexpr double mib = 1048576;
  for (const auto& [limit, name] :
       {std::pair{mib, "below 1 MiB"}, std::pair{4 * mib, "1 to 4 MiB"},
        std::pair{64 * mib, "4 to 64 MiB"}, std::pair{1024 * mib, "64 MiB to 1 GiB"}})
    if (bytes < limit) return name;
  return "1 GiB and more";
}

ScoredRow priced(const CollectiveRow& row, Collective op, const GroupShape& shape) {
  const CollectiveCost cost = collective_cost(op, base::Bytes::from_double(row.size_bytes), shape);
  ScoredRow scored;
  scored.id = row.id;
  scored.measured = row.time_us * 1e-6;
  scored.predicted = cost.total.time.s();
  set_interval(scored, cost.total.spread);
  scored.classes = {{"gpu", row.gpu},
                    {"collective", row.collective},
                    {"nodes", std::to_string(row.nodes)},
                    {"ranks", std::to_string(row.ranks)},
                    {"source", row.source},
                    {"trust", row.trust},
                    {"size", size_class(row.size_bytes)}};
  if (row.size_bytes >= 4 * 1048576 && row.trust != "low")
    scored.classes["at least 4 MiB"] =
        fmt::format("{} {} on {} nodes", row.gpu, row.collective, row.nodes);
  return scored;
}

}  // namespace

std::optional<Collective> operation_of(std::string_view name) {
  if (name == "send_recv") return Collective::send_receive;
  for (const auto& [known, op] : base::collective_names)
    if (known == name) return op;
  return std::nullopt;
}

base::Result<std::vector<CollectiveRow>> read_collective_rows(const Csv& table) {
  base::Diagnostics problems = missing_columns(
      table, {"id", "collective", "gpu", "n_gpus", "n_nodes", "size_bytes", "time_us"});
  if (!problems.empty()) return tl::unexpected(problems);
  std::vector<CollectiveRow> rows;
  for (const Csv::Row& fields : table.rows) {
    const CsvRow cells(table, fields, problems);
    CollectiveRow row;
    row.id = cells.text("id");
    row.source = cells.text("source");
    row.collective = cells.text("collective");
    row.gpu = cells.text("gpu");
    row.trust = cells.text("trust");
    row.ranks = cells.whole("n_gpus").value_or(0);
    row.nodes = cells.whole("n_nodes").value_or(0);
    row.nic_gbps_per_node = cells.number("nic_gbps_per_node").value_or(0);
    row.size_bytes = cells.number("size_bytes").value_or(0);
    row.time_us = cells.number("time_us").value_or(0);
    rows.push_back(std::move(row));
  }
  if (!problems.empty()) return tl::unexpected(problems);
  return rows;
}

std::optional<GroupShape> shape_of(const CollectiveRow& row,
                                   const topology::HardwareRegistry& registry) {
  if (row.ranks < 2 || row.nodes < 1 || row.ranks % row.nodes != 0) return std::nullopt;
  const int per_node = row.ranks / row.nodes;
  const topology::NodeType* type = node_type_for(row, per_node, registry);
  if (type == nullptr) return std::nullopt;
  GroupShape shape;
  shape.ranks = row.ranks;
  shape.nodes = row.nodes;
  shape.ranks_per_node = per_node;
  shape.scale_up_rate = per_node > 1 ? topology::scale_up_rate_among(*type, per_node)
                                     : type->scale_up_rate * type->scale_up_efficiency;
  shape.scale_up_latency = type->scale_up_latency;
  shape.in_switch_reduction = type->in_switch_reduction;
  const double stated = row.nic_gbps_per_node > 0 ? row.nic_gbps_per_node : nic_gbps(*type);
  const double used =
      std::ceil(static_cast<double>(type->nics) * per_node / type->gpus) / std::max(type->nics, 1);
  shape.network_rate = base::BytesPerSecond::from_gbit(stated * used * type->nic_efficiency);
  shape.network_latency = type->nic_latency;
  if (row.nodes > 1 && !(shape.network_rate.byte() > 0)) return std::nullopt;
  return shape;
}

Score validate_collectives(const std::vector<CollectiveRow>& rows,
                           const topology::HardwareRegistry& registry) {
  std::vector<ScoredRow> scored;
  std::vector<UnexpressedRow> left_out;
  for (const CollectiveRow& row : rows) {
    const std::optional<Collective> op = operation_of(row.collective);
    const std::optional<GroupShape> shape = shape_of(row, registry);
    if (!op) {
      left_out.push_back({row.id, fmt::format("unknown collective '{}'", row.collective)});
    } else if (!(row.time_us > 0) || !(row.size_bytes >= 1) || row.size_bytes > 1e15) {
      left_out.push_back({row.id, "no time or no size"});
    } else if (!shape) {
      left_out.push_back(
          {row.id, fmt::format("no node type with '{}' takes {} ranks on {} nodes evenly", row.gpu,
                               row.ranks, row.nodes)});
    } else {
      scored.push_back(priced(row, *op, *shape));
    }
  }
  return make_score(std::move(scored), std::move(left_out));
}

}  // namespace calibrate
