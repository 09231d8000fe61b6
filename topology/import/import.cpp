#include "topology/import/import.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/document.hpp"
#include "topology/merge.hpp"

namespace topology {

namespace {

using base::Diagnostics;

const ImportFormat* format_named(std::string_view name) {
  const auto formats = import_formats();
  const auto found = std::find_if(formats.begin(), formats.end(),
                                  [&](const ImportFormat& format) { return format.name == name; });
  return found == formats.end() ? nullptr : &*found;
}

const ImportFormat* format_of(std::string_view text) {
  const auto formats = import_formats();
  const auto found = std::find_if(formats.begin(), formats.end(),
                                  [&](const ImportFormat& format) { return format.detect(text); });
  return found == formats.end() ? nullptr : &*found;
}

std::vector<std::string_view> format_names() {
  std::vector<std::string_view> names;
  for (const ImportFormat& format : import_formats()) names.push_back(format.name);
  return names;
}

/// Files that are read at once.
struct Batch {
  const ImportFormat* format = nullptr;
  std::vector<DumpFile> files;
};

/// Options that only the labels of Kubernetes' nodes can follow.
void check_label_options(const std::vector<Batch>& batches, const ImportOptions& options,
                         Diagnostics& problems) {
  const bool labels = std::any_of(batches.begin(), batches.end(), [](const Batch& batch) {
    return batch.format->name == "kubernetes";
  });
  if (labels) return;
  const auto useless = [&](std::string_view key, bool given) {
    if (given)
      problems.push_back(
          {options.where, fmt::format("'{}' has no effect: no dump has labels of nodes", key), ""});
  };
  useless("selector", !options.selector.empty());
  useless("scheme", !options.scheme.empty());
  useless("levels", !options.levels.empty());
}

void append(Diagnostics& to, const Diagnostics& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

base::Result<FoundCluster> import_cluster(const std::vector<DumpFile>& files,
                                          std::string_view format, const ImportContext& context) {
  Diagnostics problems;
  std::vector<Batch> batches;
  const ImportFormat* chosen = format.empty() ? nullptr : format_named(format);
  if (!format.empty() && chosen == nullptr)
    return tl::unexpected(Diagnostics{
        {{}, fmt::format("unknown format '{}'", format), base::suggest(format, format_names())}});
  for (const DumpFile& file : files) {
    const ImportFormat* of = chosen != nullptr ? chosen : format_of(file.text);
    if (of == nullptr) {
      problems.push_back({{file.name},
                          file.text.empty() ? "is empty" : "is in no format that is known",
                          fmt::format("name its format: {}", fmt::join(format_names(), ", "))});
      continue;
    }
    const auto batch = std::find_if(batches.begin(), batches.end(), [&](const Batch& one) {
      return of->together && one.format == of;
    });
    if (batch == batches.end())
      batches.push_back({of, {file}});
    else
      batch->files.push_back(file);
  }
  if (problems.empty()) check_label_options(batches, context.options, problems);
  std::vector<FoundCluster> dumps;
  for (const Batch& batch : batches) {
    auto dump = batch.format->read(batch.files, context);
    if (dump)
      dumps.push_back(std::move(*dump));
    else
      append(problems, dump.error());
  }
  if (files.empty()) problems.push_back({{}, "no dump to import", ""});
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  FoundCluster merged = merge(std::move(dumps));
  if (merged.nodes.empty()) {
    problems.push_back({{files.front().name}, "tells of no node", ""});
    append(problems, merged.notes);
    return tl::unexpected(std::move(problems));
  }
  return merged;
}

base::Result<std::vector<DumpFile>> read_dumps(const std::vector<std::string>& paths) {
  Diagnostics problems;
  std::vector<DumpFile> files;
  for (const std::string& path : paths) {
    auto text = base::read_file(path);
    if (text)
      files.push_back({path, std::move(*text)});
    else
      append(problems, text.error());
  }
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  return files;
}

}  // namespace topology
