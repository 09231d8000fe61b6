#include "strategies/checkpoint_file/shard_index.hpp"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/map_reader.hpp"

namespace strategies::checkpoint_file {

base::Result<ShardIndex> read_index(const std::string& path) {
  const base::Result<std::string> text = base::read_file(path);
  if (!text) return tl::unexpected(text.error());
  const base::Result<base::Document> document = base::parse_json(*text, path);
  if (!document) return tl::unexpected(document.error());
  base::Diagnostics problems;
  base::MapReader map(*document, document->root, "", problems);
  ShardIndex index;
  if (auto metadata = map.map("metadata")) {
    double size = 0;
    if (metadata->read("total_size", size)) index.total_size = size;
    index.total_where = metadata->where("total_size");
  }
  if (map.required_map("weight_map")) {
    for (const base::Node::Entry& entry : document->root.find("weight_map")->entries)
      if (entry.value.kind == base::Node::Kind::scalar)
        index.tensors.push_back({entry.key, entry.value.text, document->where(entry.value)});
      else
        problems.push_back({document->where(entry.value),
                            fmt::format("'{}' is in no file: its value is no text", entry.key)});
  }
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  return index;
}

/// What the index says against what the shards have.
void compare_index(const ShardIndex& index, const std::string& path, Checkpoint& checkpoint) {
  std::set<std::pair<std::string, std::string>> there;
  for (const SavedTensor& tensor : checkpoint.tensors) there.emplace(tensor.name, tensor.file);
  std::set<std::string_view> shards;  // of one that is missing, its tensors go without saying
  for (const SavedFile& file : checkpoint.files) shards.insert(file.path);
  std::set<std::pair<std::string, std::string>> listed;
  for (const auto& [name, file, where] : index.tensors) {
    listed.emplace(name, file);
    if (shards.contains(file) && !there.contains({name, file}))
      checkpoint.problems.push_back(
          {where, fmt::format("tensor '{}' is not in {}", name, file),
           "the index is of other shards, or a shard is damaged or was not downloaded whole"});
  }
  for (const auto& [name, file] : there)
    if (!listed.contains({name, file}))
      checkpoint.problems.push_back(
          {{path},
           fmt::format("tensor '{}' of {} is not in the index", name, file),
           "",
           base::Severity::warning});
  const double total = stored_bytes(checkpoint).as_double();
  if (index.total_size && *index.total_size != total)
    checkpoint.problems.push_back(
        {index.total_where,
         fmt::format("'total_size' is {:.0f}, but the tensors have {:.0f} bytes", *index.total_size,
                     total),
         "", base::Severity::warning});
}

}  // namespace strategies::checkpoint_file
