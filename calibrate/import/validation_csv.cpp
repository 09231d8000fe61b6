#include "calibrate/import/validation_csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/csv.hpp"
#include "calibrate/harness/sweep.hpp"
#include "calibrate/validate_collectives.hpp"
#include "calibrate/validate_kernels.hpp"

namespace calibrate {

namespace {

using base::Collective;

/// Runs by the name of their sweep, in the order of their first rows; and why rows are left out.
class Runs {
 public:
  Runs(std::string_view text, const std::string& file, const ImportOptions& options)
      : text_(text), file_(file), options_(options) {}

  RunRecords& of(const std::string& name, std::string_view source) {
    const auto [known, added] = index_.try_emplace(name, runs_.size());
    if (added) {
      RunRecords& run = runs_.emplace_back();
      run.run.id = import_id(text_, options_, known->second);
      run.run.tool = "published";
      run.run.command = name;
      run.run.source = file_;
      run.run.note = source;
    }
    return runs_[known->second];
  }

  void leave_out(const std::string& reason) { ++left_out_[reason]; }

  ImportResult result() {
    if (runs_.empty())
      return tl::unexpected(
          base::Diagnostics{{{file_, 0, 0}, "it has no row that can be kept", ""}});
    Imported out;
    out.runs = std::move(runs_);
    for (const auto& [reason, count] : left_out_)
      out.notes.push_back(import_note(file_, fmt::format("{} rows left out: {}", count, reason)));
    return out;
  }

 private:
  std::string_view text_;
  const std::string& file_;
  const ImportOptions& options_;
  std::vector<RunRecords> runs_;
  std::map<std::string, std::size_t> index_;
  std::map<std::string, int> left_out_;
};

std::string sweep_of(const base::CsvRow& cells) {
  const std::string_view sweep = cells.text("sweep");
  return std::string(sweep.empty() ? cells.text("source") : sweep);
}

// --- collectives -----------------------------------------------------------------------------

/// One record; nothing, and a mistake, when the row says no collective of some ranks.
std::optional<CollectiveRecord> record_of(const CollectiveRow& row, const base::CsvRow& cells,
                                          const base::SourceRef& where,
                                          const ImportOptions& options,
                                          base::Diagnostics& problems) {
  const std::size_t before = problems.size();
  CollectiveRecord record;
  const auto add = [&](std::string message, std::string hint = {}) {
    problems.push_back({where, std::move(message), std::move(hint)});
  };
  const std::optional<Collective> op = operation_of(row.collective);
  if (!op) add(fmt::format("no collective '{}'", row.collective));
  const std::string_view cell = cells.text("dtype");
  const std::string_view type_name = !options.dtype.empty() ? element_type_of(options.dtype)
                                     : cell.empty()         ? "float"
                                                            : element_type_of(cell);
  const ElementType* type = find_element_type(type_name);
  if (type == nullptr) add(fmt::format("no type '{}'", cell));
  if (!(row.time_us > 0)) add("the time is not above 0");
  if (!(row.size_bytes >= 0) || row.size_bytes > 1e15) add("the size is no number of bytes");
  const int ranks = options.ranks > 0 ? options.ranks : row.ranks;
  const int nodes = options.nodes > 0 ? options.nodes : row.nodes;
  if (ranks < 1 || nodes < 1 || nodes > ranks)
    add(fmt::format("{} ranks on {} nodes", ranks, nodes), "n_gpus and n_nodes say how many");
  record.device = options.device.empty() ? row.gpu : options.device;
  if (record.device.empty()) add("the gpu is not stated", "give it: --device NAME");
  if (problems.size() != before) return std::nullopt;
  record.op = *op;
  record.dtype = type->name;
  record.placement = {ranks, nodes, (ranks + nodes - 1) / nodes};
  record.bytes = base::Bytes::from_double(row.size_bytes);
  record.count = record.bytes.count() / type->bytes / bytes_of_call(*op, ranks, 1, 1).count();
  record.library = options.library.empty() ? cells.text("library") : options.library;
  if (record.library.empty()) record.library = "NCCL";
  record.library_version =
      options.library_version.empty() ? cells.text("library_version") : options.library_version;
  record.algorithm = cells.text("algorithm");
  record.transport = row.fabric;
  record.reduction = has_reduction(*op) ? "sum" : "none";
  record.root = has_root(*op) ? 0 : -1;
  record.in_place = cells.text("in_place") == "1";
  record.times.mean = row.time_us * 1e-6;
  record.line = where.line;
  return record;
}

ImportResult import_collectives(const base::Csv& table, Runs& runs, const ImportOptions& options) {
  const auto rows = read_collective_rows(table);
  if (!rows) return tl::unexpected(rows.error());
  base::Diagnostics problems;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const CollectiveRow& row = (*rows)[i];
    const base::CsvRow cells(table, table.rows[i], problems);
    const base::SourceRef where{table.file, table.rows[i].line, 0};
    auto record = record_of(row, cells, where, options, problems);
    if (!record) continue;
    RunRecords& run = runs.of(sweep_of(cells), row.source);
    if (run.collectives.empty()) run.run.software = {{record->library, record->library_version}};
    run.collectives.push_back(std::move(*record));
  }
  if (!problems.empty()) return tl::unexpected(problems);
  return runs.result();
}

// --- kernels ---------------------------------------------------------------------------------

/// What a library's call does beside its kernel, for the name of the variant.
std::string variant_of(const KernelsOfRow& work) {
  if (work.kernels.size() == 1) return "";
  return std::holds_alternative<base::Gemm>(work.kernels.front()) ? "quantises its input"
                                                                  : "writes the cache";
}

ImportResult import_kernels(const base::Csv& table, Runs& runs, const ImportOptions& options) {
  const auto rows = read_kernel_rows(table);
  if (!rows) return tl::unexpected(rows.error());
  base::Diagnostics problems;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const KernelRow& row = (*rows)[i];
    const int line = table.rows[i].line;
    const std::string device = options.device.empty() ? row.gpu : options.device;
    if (!(row.time_us > 0))
      problems.push_back({{table.file, line, 0}, "the time is not above 0", ""});
    if (device.empty())
      problems.push_back(
          {{table.file, line, 0}, "the gpu is not stated", "give it: --device NAME"});
    if (!problems.empty()) continue;
    const KernelsOfRow work = kernels_of(row);
    if (!work.unexpressed.empty() || row.op == "other") {
      runs.leave_out(work.unexpressed.empty() ? "several kernels were measured together"
                                              : work.unexpressed);
      continue;
    }
    KernelRecord record;
    record.kernel = work.kernels.front();
    if (const auto* gemm = std::get_if<base::Gemm>(&record.kernel)) {
      record.kind = "gemm";
      record.dtype = gemm->dtype;
    } else if (const auto* attention = std::get_if<base::Attention>(&record.kernel)) {
      record.kind = "attention";
      record.dtype = attention->dtype;
    }
    const std::size_t space = row.library.find(' ');
    record.library = row.library.substr(0, space);
    if (space != std::string::npos) record.library_version = row.library.substr(space + 1);
    if (!options.library.empty()) record.library = options.library;
    if (!options.library_version.empty()) record.library_version = options.library_version;
    record.device = device;
    record.variant = variant_of(work);
    record.times.mean = row.time_us * 1e-6;
    record.line = line;
    const base::CsvRow cells(table, table.rows[i], problems);
    RunRecords& run = runs.of(sweep_of(cells), row.source);
    if (run.kernels.empty()) run.run.software = {{record.library, record.library_version}};
    run.kernels.push_back(std::move(record));
  }
  if (!problems.empty()) return tl::unexpected(problems);
  return runs.result();
}

}  // namespace

bool is_validation_csv(std::string_view text) {
  const std::string_view first = text.substr(0, text.find('\n'));
  return first.find("time_us") != std::string_view::npos &&
         first.find(',') != std::string_view::npos &&
         (first.find("size_bytes") != std::string_view::npos ||
          first.find("head_dim") != std::string_view::npos);
}

ImportResult import_validation_csv(std::string_view text, const std::string& file,
                                   const ImportOptions& options) {
  const auto table = base::parse_csv(text, file);
  if (!table) return tl::unexpected(table.error());
  Runs runs(text, file, options);
  return table->column("op") ? import_kernels(*table, runs, options)
                             : import_collectives(*table, runs, options);
}

}  // namespace calibrate
