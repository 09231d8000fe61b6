#include "sim/training/row.hpp"

#include <fmt/format.h>

#include <initializer_list>
#include <regex>
#include <string_view>

namespace sim::training {

namespace {

/// Cells of one row; mistakes are told with the line.
class Cells {
 public:
  Cells(const base::Csv& table, const base::Csv::Row& fields, base::Diagnostics& problems)
      : cells_(table, fields, problems), where_{table.file, fields.line, 1}, problems_(problems) {}

  std::string text(std::string_view column) const { return std::string(cells_.text(column)); }

  std::optional<int> whole(std::string_view column) const { return cells_.whole(column); }

  std::optional<double> positive(std::string_view column) const {
    const std::optional<double> value = cells_.number(column);
    if (value && !(*value > 0)) {
      problem(fmt::format("'{}' is not above 0: '{}'", column, cells_.text(column)));
      return std::nullopt;
    }
    return value;
  }

  std::optional<bool> flag(std::string_view column) const {
    const std::string_view word = cells_.text(column);
    if (word.empty()) return std::nullopt;
    if (word != "0" && word != "1")
      problem(fmt::format("'{}' is neither 0 nor 1: '{}'", column, word));
    return word == "1";
  }

  /// One of these words.
  std::string word(std::string_view column, std::initializer_list<std::string_view> known) const {
    const std::string_view word = cells_.text(column);
    for (const std::string_view one : known)
      if (word == one) return std::string(word);
    problem(fmt::format("unknown '{}': '{}'", column, word),
            base::suggest(word, {known.begin(), known.end()}));
    return {};
  }

 private:
  void problem(std::string message, std::string hint = {}) const {
    problems_.push_back({where_, std::move(message), std::move(hint)});
  }

  base::CsvRow cells_;
  base::SourceRef where_;
  base::Diagnostics& problems_;
};

void read_model(const Cells& cells, Row& row) {
  row.model = cells.text("model");
  row.layers = cells.whole("layers");
  row.hidden = cells.whole("hidden");
  row.heads = cells.whole("heads");
  row.kv_heads = cells.whole("kv_heads");
  row.head_dim = cells.whole("head_dim");
  row.ffn = cells.whole("ffn");
  row.activation = cells.text("activation");
  row.gated = cells.flag("gated");
  row.vocab = cells.whole("vocab");
  row.tied_embeddings = cells.flag("tied_embeddings");
  row.sequence = cells.whole("seq_len");
  row.attention = cells.text("attention");
  row.experts = cells.whole("experts");
  row.experts_per_token = cells.whole("experts_per_token");
  row.expert_ffn = cells.whole("expert_ffn");
  row.shared_experts = cells.whole("shared_experts");
  row.dense_layers = cells.whole("dense_layers");
}

void read_plan(const Cells& cells, Row& row) {
  row.precision = cells.text("precision");
  row.tensor = cells.whole("tp");
  row.pipeline = cells.whole("pp");
  row.virtual_stages = cells.whole("vp");
  row.context = cells.whole("cp");
  row.expert = cells.whole("ep");
  row.expert_tensor = cells.whole("etp");
  row.data = cells.whole("dp");
  row.zero = cells.whole("zero");
  row.sequence_parallel = cells.flag("sequence_parallel");
  row.schedule = cells.text("schedule");
  row.micro_batch = cells.whole("micro_batch");
  row.global_batch = cells.whole("global_batch");
  row.recompute = cells.text("recompute");
  row.flash_attention = cells.flag("flash_attention");
  row.overlap = cells.text("overlap");
}

/// "...; reserved 49.81 GiB; ...": nanotron's logs have two peaks.
std::optional<double> reserved_in(const std::string& note) {
  static const std::regex phrase(R"((?:^|; )reserved (\d{1,6}(?:\.\d{1,6})?) GiB(?:;|$))");
  std::smatch found;
  if (!std::regex_search(note, found, phrase)) return std::nullopt;
  return std::stod(found[1]);
}

}  // namespace

base::Result<std::vector<Row>> read_rows(const base::Csv& table) {
  base::Diagnostics problems = base::missing_columns(table, {"id",
                                                             "group",
                                                             "source",
                                                             "framework",
                                                             "model",
                                                             "layers",
                                                             "hidden",
                                                             "heads",
                                                             "kv_heads",
                                                             "head_dim",
                                                             "ffn",
                                                             "activation",
                                                             "gated",
                                                             "vocab",
                                                             "tied_embeddings",
                                                             "seq_len",
                                                             "attention",
                                                             "experts",
                                                             "experts_per_token",
                                                             "expert_ffn",
                                                             "shared_experts",
                                                             "dense_layers",
                                                             "gpu",
                                                             "n_gpus",
                                                             "gpus_per_node",
                                                             "nic_gbps_per_node",
                                                             "measured_busbw_gbps",
                                                             "precision",
                                                             "tp",
                                                             "pp",
                                                             "vp",
                                                             "cp",
                                                             "ep",
                                                             "etp",
                                                             "dp",
                                                             "zero",
                                                             "sequence_parallel",
                                                             "schedule",
                                                             "micro_batch",
                                                             "global_batch",
                                                             "recompute",
                                                             "flash_attention",
                                                             "overlap",
                                                             "outcome",
                                                             "step_time_s",
                                                             "peak_memory_gib",
                                                             "memory_kind",
                                                             "trust",
                                                             "note"});
  if (!problems.empty()) return tl::unexpected(problems);
  std::vector<Row> rows;
  for (const base::Csv::Row& fields : table.rows) {
    const Cells cells(table, fields, problems);
    Row row;
    row.id = cells.text("id");
    row.group = cells.text("group");
    row.source = cells.text("source");
    row.framework = cells.text("framework");
    read_model(cells, row);
    row.gpu = cells.text("gpu");
    row.gpus = cells.whole("n_gpus");
    row.gpus_per_node = cells.whole("gpus_per_node");
    row.nic_gbit = cells.positive("nic_gbps_per_node");
    row.measured_busbw_gbit = cells.positive("measured_busbw_gbps");
    read_plan(cells, row);
    row.ran = cells.word("outcome", {"ok", "oom"}) != "oom";
    row.step_s = cells.positive("step_time_s");
    row.peak_memory_gib = cells.positive("peak_memory_gib");
    row.memory_kind =
        cells.word("memory_kind", {"", "allocated", "reserved", "nvidia-smi", "unspecified"});
    row.trust = cells.word("trust", {"high", "medium", "low"});
    row.note = cells.text("note");
    row.noted_reserved_gib = reserved_in(row.note);
    rows.push_back(std::move(row));
  }
  if (!problems.empty()) return tl::unexpected(problems);
  return rows;
}

}  // namespace sim::training
