#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "base/quantity.hpp"
#include "topology/natural_order.hpp"
#include "viz/checkpoint.hpp"
#include "viz/table.hpp"
#include "viz/terminal.hpp"

namespace viz {

namespace {

namespace files = strategies::checkpoint_file;

constexpr std::size_t names_max = 10;

struct Natural {
  bool operator()(const std::string& a, const std::string& b) const {
    if (topology::natural_less(a, b)) return true;
    return !topology::natural_less(b, a) && a < b;
  }
};

struct Tally {
  int tensors = 0;
  std::int64_t elements = 0;
  base::Bytes bytes;

  void add(const files::SavedTensor& tensor) {
    ++tensors;
    elements += tensor.elements();
    bytes += tensor.bytes();
  }
};

struct Module {
  Tally tally;
  std::map<std::string, Module, Natural> parts;
};

void list(const Module& module, int depth, std::vector<ModuleRow>& rows) {
  for (const auto& [name, part] : module.parts) {
    rows.push_back({depth, name, part.tally.tensors, part.tally.elements, part.tally.bytes});
    list(part, depth + 1, rows);
  }
}

std::string count(std::int64_t elements) {
  return elements < 1000 ? fmt::format("{}", elements)
                         : base::format_count(static_cast<double>(elements));
}

std::vector<std::string> cells(std::string name, const Tally& tally) {
  return {std::move(name), fmt::format("{}", tally.tensors), count(tally.elements),
          base::format_bytes(tally.bytes)};
}

const std::vector<Column>& columns() {
  static const std::vector<Column> all{
      {"", false, 60}, {"tensors", true}, {"elements", true}, {"bytes", true}};
  return all;
}

std::string totals(const files::Checkpoint& checkpoint) {
  std::map<files::Role, std::map<std::string_view, Tally>> by;
  for (const files::SavedTensor& tensor : checkpoint.tensors)
    by[tensor.role()][tensor.type->name].add(tensor);
  std::vector<std::vector<std::string>> rows;
  for (const auto& [role, types] : by)
    for (const auto& [type, tally] : types)
      rows.push_back(cells(fmt::format("{} {}", files::name_of(role), type), tally));
  return table(columns(), rows);
}

std::string modules(const files::Checkpoint& checkpoint, int depth) {
  std::vector<std::vector<std::string>> rows;
  for (const ModuleRow& row : module_rows(checkpoint, depth))
    rows.push_back(cells(std::string(static_cast<std::size_t>(2 * row.depth), ' ') + row.name,
                         {row.tensors, row.elements, row.bytes}));
  return fmt::format("\nmodules, to a depth of {}\n", depth) + table(columns(), rows);
}

std::string tensors(const files::Checkpoint& checkpoint) {
  std::vector<std::vector<std::string>> rows;
  for (const files::SavedTensor& tensor : checkpoint.tensors)
    rows.push_back({tensor.name, std::string(tensor.type->name),
                    fmt::format("[{}]", fmt::join(tensor.shape, ", ")),
                    base::format_bytes(tensor.bytes()), tensor.file});
  return "\n" +
         table({{"tensor", false, 80}, {"type"}, {"shape"}, {"bytes", true}, {"file"}}, rows);
}

/// The first names, and how many there are.
std::string names(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < std::min(all.size(), names_max); ++i)
    text += fmt::format("    {}\n", printable(all[i]));
  if (all.size() > names_max) text += fmt::format("    and {} more\n", all.size() - names_max);
  return text;
}

std::string besides(const files::Checkpoint& checkpoint) {
  std::string text;
  const auto shared = files::shared_tensors(checkpoint);
  if (!shared.empty()) {
    std::vector<std::string> lines;
    for (const auto& group : shared) lines.push_back(fmt::format("{}", fmt::join(group, " = ")));
    text += "\nshared bytes, counted once in the total\n" + names(lines);
  }
  if (!checkpoint.values.empty()) {
    std::vector<std::string> lines;
    for (const auto& [name, value] : checkpoint.values)
      lines.push_back(fmt::format("{}: {}", name, value));
    text += "\nbeside the tensors\n" + names(lines);
  }
  if (!checkpoint.unknown.empty()) {
    std::vector<std::string> lines;
    for (const auto& [name, path] : checkpoint.unknown)
      lines.push_back(fmt::format("{}, at {}", name, path));
    text += "\nnamed by the pickle, not called, no tensor to us\n" + names(lines);
  }
  return text;
}

std::string shapes(const std::vector<files::ShapeDifference>& all) {
  std::vector<std::string> lines;
  for (const files::ShapeDifference& one : all)
    lines.push_back(fmt::format("{}: [{}], the model wants [{}]", one.name,
                                fmt::join(one.saved, ", "), fmt::join(one.wanted, ", ")));
  return names(lines);
}

std::string comparison(const files::Comparison& one) {
  std::string text = fmt::format("  parameters   {} saved, {} wanted\n", one.saved, one.wanted);
  if (one.naming.empty())
    return text + "  names        of no family that is known: shapes were not compared\n";
  text +=
      fmt::format("  names        as {}{}: {} tensors match\n", one.naming,
                  one.prefix.empty() ? "" : fmt::format(" behind '{}'", one.prefix), one.matching);
  if (!one.missing.empty())
    text += fmt::format("  missing      {}\n", one.missing.size()) + names(one.missing);
  if (!one.different.empty())
    text += fmt::format("  other shape  {}\n", one.different.size()) + shapes(one.different);
  if (!one.extra.empty())
    text += fmt::format("  not wanted   {}\n", one.extra.size()) + names(one.extra);
  return text;
}

std::string fit_text(const CheckpointFit& fit) {
  using base::format_bytes;
  const files::RankShare& share = fit.share;
  return fmt::format("\nfor {}: {}\n", printable(fit.scenario), fit.plan) +
         comparison(fit.comparison) +
         fmt::format("  a rank       keeps {} of {} parameters, reads {} of {}\n",
                     count(share.kept), count(fit.comparison.wanted), format_bytes(share.read),
                     format_bytes(share.whole)) +
         fmt::format(
             "  loaded       {} with optimizer states and libraries, {} beside the "
             "largest tensor: {} {}\n",
             format_bytes(fit.resident), format_bytes(fit.while_loading()),
             fit.loads() ? "fits in" : "does not fit in", format_bytes(fit.capacity)) +
         fmt::format("  step         {} at its peak: {}\n", format_bytes(fit.step_peak),
                     fit.step_fits ? "fits" : "does not fit") +
         fmt::format(
             "  host         {} a node when {} ranks load at once, {}; how much memory "
             "its nodes have is not known\n",
             format_bytes(fit.host()), fit.ranks_per_node,
             fit.whole_files ? "each a whole file" : "each tensor by tensor");
}

}  // namespace

std::vector<ModuleRow> module_rows(const files::Checkpoint& checkpoint, int depth) {
  Module root;
  for (const files::SavedTensor& tensor : checkpoint.tensors) {
    Module* at = &root;
    std::string_view rest = tensor.name;
    for (int level = 0; level < depth && !rest.empty(); ++level) {
      const std::string_view word = rest.substr(0, rest.find('.'));
      at = &at->parts[std::string(word)];
      at->tally.add(tensor);
      rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
  }
  std::vector<ModuleRow> rows;
  list(root, 0, rows);
  return rows;
}

std::string checkpoint_text(const files::Checkpoint& checkpoint, const CheckpointView& view,
                            const std::optional<CheckpointFit>& fit) {
  std::string text =
      fmt::format("{}: {}, {} file{}, {} tensor{}, {}\n\n", printable(view.path), checkpoint.format,
                  checkpoint.files.size(), checkpoint.files.size() == 1 ? "" : "s",
                  checkpoint.tensors.size(), checkpoint.tensors.size() == 1 ? "" : "s",
                  base::format_bytes(files::stored_bytes(checkpoint)));
  text += totals(checkpoint);
  if (view.depth > 0) text += modules(checkpoint, view.depth);
  if (view.tensors) text += tensors(checkpoint);
  text += besides(checkpoint);
  if (fit) text += fit_text(*fit);
  return text;
}

}  // namespace viz
