#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/csv.hpp"
#include "calibrate/backends/registry.hpp"
#include "calibrate/fit/collective_fit.hpp"
#include "calibrate/validate_collectives.hpp"

/// Prices from a table of measurements, in the columns of nccl-tests sweeps, fitted as those of a
/// calibration are. Groups that the table lacks are priced as NCCL's.
namespace calibrate::backends {

namespace {

using base::Bytes;

/// Indices into sources().
enum Source { of_table, beyond_table, not_in_table };

/// GPU, collective, ranks, nodes.
using Key = std::tuple<std::string, Collective, int, int>;
using Fits = std::map<Key, fit::CollectiveFit>;

class Measured : public CollectiveBackend {
 public:
  Measured(std::string file, Fits fits, std::size_t rows, std::unique_ptr<CollectiveBackend> nccl)
      : file_(std::move(file)), fits_(std::move(fits)), rows_(rows), nccl_(std::move(nccl)) {
    const std::string& first = std::get<0>(fits_.begin()->first);
    const bool one_gpu = std::all_of(fits_.begin(), fits_.end(), [&](const auto& entry) {
      return std::get<0>(entry.first) == first;
    });
    if (one_gpu) only_gpu_ = first;
  }

  std::string_view name() const override { return "measured"; }
  std::string description() const override {
    return fmt::format("measured collectives of {} ({} rows)", file_, rows_);
  }
  bool calibrated() const override { return true; }
  bool supports(Collective op) const override { return nccl_->supports(op); }

  std::vector<std::string> sources() const override {
    return {description(), fmt::format("extrapolated beyond the sizes of {}", file_),
            fmt::format("{}, for groups that {} lacks", nccl_->description(), file_)};
  }

  CollectiveCost cost(Collective op, Bytes bytes, const GroupShape& shape) const override {
    CollectiveCost cost = nccl_->cost(op, bytes, shape);
    cost.total.source = not_in_table;
    if (shape.ranks == 1) return cost;
    const auto found = fits_.find(
        {shape.gpu == nullptr ? only_gpu_ : shape.gpu->name, op, shape.ranks, shape.nodes});
    // A table counts ranks and nodes, so that nodes are taken to be full but for the last.
    const bool even = shape.ranks_per_node == (shape.ranks + shape.nodes - 1) / shape.nodes;
    if (found == fits_.end() || !even) return cost;
    const fit::Estimate estimate = found->second.sizes().at(bytes.as_double());
    CollectiveCost priced = found->second.cost(bytes, estimate);
    priced.total.source = estimate.reach == fit::Reach::inside ? of_table : beyond_table;
    priced.algorithm = cost.algorithm;  // what a table says about it is about its own size alone
    return priced;
  }

 private:
  std::string file_;
  Fits fits_;
  std::size_t rows_;
  std::unique_ptr<CollectiveBackend> nccl_;
  std::string only_gpu_;  ///< the GPU of the table, where it has just one
};

/// What is wrong with a row, told at its line.
void check(const CollectiveRow& row, const base::SourceRef& where, base::Diagnostics& problems) {
  const auto report = [&](std::string message, std::string hint) {
    problems.push_back({where, std::move(message), std::move(hint)});
  };
  if (!operation_of(row.collective)) {
    std::vector<std::string_view> names{"send_recv"};
    for (const auto& [name, op] : base::collective_names) names.push_back(name);
    report(fmt::format("unknown collective '{}'", row.collective),
           base::suggest(row.collective, names));
  }
  if (row.ranks < 2 || row.nodes < 1 || row.nodes > row.ranks)
    report(fmt::format("{} ranks on {} nodes are no group", row.ranks, row.nodes),
           "'n_gpus' is at least 2 and at least 'n_nodes'");
  if (!(row.size_bytes >= 1 && row.size_bytes <= 1e15))
    report(fmt::format("'size_bytes' is {}, must be from 1 to 1e15", row.size_bytes), "");
  if (!(row.time_us > 1e-3 && row.time_us < 1e12))
    report(fmt::format("'time_us' is {}, must be above 0.001 and below 1e12", row.time_us), "");
}

}  // namespace

Made make_measured(const BackendOptions& options) {
  const std::string& file = options.table.text;
  const auto table = base::parse_csv(options.table_text, file);
  if (!table) return tl::unexpected(table.error());
  const auto rows = read_collective_rows(*table);
  if (!rows) return tl::unexpected(rows.error());
  base::Diagnostics problems;
  std::map<Key, std::map<double, std::vector<fit::Sample>>> measured;
  std::size_t used = 0;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const CollectiveRow& row = (*rows)[i];
    const std::size_t before = problems.size();
    check(row, {file, table->rows[i].line, 1}, problems);
    if (problems.size() > before || row.trust == "low") continue;
    ++used;
    measured[{row.gpu, *operation_of(row.collective), row.ranks, row.nodes}][row.size_bytes]
        .push_back({row.time_us * 1e-6});
  }
  if (problems.empty() && used == 0)
    problems.push_back({{file}, "the table has no measurements", "rows of low trust do not count"});
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  Made nccl = make_nccl({.hardware_folder = options.hardware_folder});
  if (!nccl) return nccl;
  Fits fits;
  for (const auto& [key, sizes] : measured)
    fits.try_emplace(key, sizes, std::get<1>(key), std::get<2>(key));
  return std::make_unique<Measured>(file, std::move(fits), used, std::move(*nccl));
}

}  // namespace calibrate::backends
