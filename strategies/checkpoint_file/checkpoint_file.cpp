#include "strategies/checkpoint_file/checkpoint_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/document.hpp"
#include "strategies/checkpoint_file/distributed.hpp"
#include "strategies/checkpoint_file/safetensors.hpp"
#include "strategies/checkpoint_file/shard_index.hpp"
#include "strategies/checkpoint_file/torch_file.hpp"

namespace strategies::checkpoint_file {

namespace {

namespace fs = std::filesystem;

base::Diagnostics cannot(const std::string& path, std::string message, std::string hint = {}) {
  return {{{path}, std::move(message), std::move(hint)}};
}

base::Bytes size_of(const fs::path& path) {
  std::error_code unknown;
  const std::uintmax_t size = fs::file_size(path, unknown);
  return base::Bytes::from_count(unknown ? 0 : static_cast<std::int64_t>(size));
}

/// Reads `count` bytes from `offset`; fewer at the end of the file.
std::string read_part(const fs::path& path, std::uint64_t offset, std::uint64_t count) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(offset));
  std::string bytes(static_cast<std::size_t>(count), '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(count));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return bytes;
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = value << 8U | static_cast<unsigned char>(bytes[i]);
  return value;
}

bool read_safetensors(const fs::path& path, const std::string& name, Checkpoint& checkpoint) {
  const auto problem = [&](std::string message) {
    checkpoint.problems.push_back({{name}, std::move(message), "the file is damaged"});
    return false;
  };
  const auto size = static_cast<std::uint64_t>(size_of(path).count());
  const std::uint64_t length = little_endian(read_part(path, 0, 8));
  if (length > safetensors_header_max)
    return problem(
        fmt::format("the header is said to have {} bytes, more than the {} that "
                    "safetensors allows",
                    length, safetensors_header_max));
  if (length + 8 > size)
    return problem(
        fmt::format("the header is said to have {} bytes, the file has {}", length, size));
  const std::string header = read_part(path, 8, length);
  if (header.empty() || header.front() != '{') return problem("the header does not begin with '{'");
  read_safetensors_header(header, size - 8 - length, name, checkpoint);
  return true;
}

/// What a file is, by its first bytes.
struct Format {
  std::string_view name;
  bool (*read)(const fs::path& path, const std::string& name, Checkpoint& checkpoint);
};

const Format* format_of(const fs::path& path) {
  static constexpr std::array formats{
      Format{"PyTorch (zip)", [](const fs::path& file, const std::string& name,
                                 Checkpoint& out) { return read_torch_zip(file, name, out); }},
      Format{"PyTorch (legacy)",
             [](const fs::path& file, const std::string& name, Checkpoint& out) {
               return read_torch_legacy(file, name, out);
             }},
      Format{"safetensors", read_safetensors},
  };
  const std::string first = read_part(path, 0, 9);
  if (first.starts_with("PK\x03\x04")) return &formats[0];
  if (first.size() >= 2 && first[0] == '\x80' && first[1] >= 0 && first[1] <= 5) return &formats[1];
  const bool named = path.extension() == ".safetensors";
  return named || (first.size() == 9 && first[8] == '{') ? &formats[2] : nullptr;
}

/// Adds a file; false when it is none of a known kind.
bool add_file(const fs::path& path, const std::string& name, Checkpoint& checkpoint) {
  const Format* format = format_of(path);
  if (format == nullptr) {
    checkpoint.problems.push_back(
        {{name},
         "neither safetensors nor a file of torch.save",
         "it begins with neither a header length, a zip archive nor a pickle"});
    return false;
  }
  if (checkpoint.format.empty()) checkpoint.format = format->name;
  if (checkpoint.format != format->name) checkpoint.format = "several formats";
  checkpoint.files.push_back({name, size_of(path)});
  return format->read(path, name, checkpoint);
}

// --- folders ---------------------------------------------------------------------------------

/// Names of the regular files of a folder, sorted.
std::vector<std::string> files_of(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->is_regular_file(error)) names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

base::Result<Checkpoint> read_distributed(const fs::path& folder) {
  Checkpoint checkpoint;
  checkpoint.format = "distributed";
  const fs::path path = folder / ".metadata";
  if (size_of(path).count() > static_cast<std::int64_t>(pickle_bytes_max))
    return tl::unexpected(
        cannot(path.string(), fmt::format("is larger than {} MiB", pickle_bytes_max >> 20U)));
  const base::Result<std::string> bytes = base::read_file(path.string());
  if (!bytes) return tl::unexpected(bytes.error());
  const auto reach = read_distributed_metadata(*bytes, path.string(), checkpoint);
  if (!reach) return tl::unexpected(reach.error());
  for (const auto& [name, end] : *reach) {
    const fs::path file = folder / name;
    const bool inside = fs::path(name).is_relative() && name.find("..") == std::string::npos;
    std::error_code error;
    if (!inside || !fs::is_regular_file(file, error)) {
      checkpoint.problems.push_back({{path.string()}, fmt::format("'{}' is not there", name)});
      continue;
    }
    const base::Bytes size = size_of(file);
    checkpoint.files.push_back({name, size});
    if (size.count() < end)
      checkpoint.problems.push_back(
          {{file.string()}, fmt::format("has {} bytes, {} are used of it", size.count(), end)});
  }
  return checkpoint;
}

base::Result<Checkpoint> read_sharded(const fs::path& folder, const std::string& index_name) {
  const std::string path = (folder / index_name).string();
  const base::Result<ShardIndex> index = read_index(path);
  if (!index) return tl::unexpected(index.error());
  std::map<std::string, base::SourceRef> shards;
  for (const auto& [tensor, file, where] : index->tensors) shards.try_emplace(file, where);
  Checkpoint checkpoint;
  for (const auto& [file, where] : shards) {
    std::error_code error;
    const bool inside = file.find('/') == std::string::npos && file != "..";
    if (inside && fs::is_regular_file(folder / file, error))
      add_file(folder / file, file, checkpoint);
    else
      checkpoint.problems.push_back({where, fmt::format("shard '{}' is not in the folder", file),
                                     "is the download complete?"});
  }
  compare_index(*index, path, checkpoint);
  return checkpoint;
}

base::Result<Checkpoint> read_folder(const fs::path& folder) {
  const std::vector<std::string> names = files_of(folder);
  const auto has = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (has(".metadata")) return read_distributed(folder);
  for (const char* index : {"model.safetensors.index.json", "pytorch_model.bin.index.json"})
    if (has(index)) return read_sharded(folder, index);
  // The first kind of file that there is: a folder often has the same weights in several.
  Checkpoint checkpoint;
  for (const std::string_view ending : {".safetensors", ".bin", ".pt", ".pth"}) {
    for (const std::string& name : names)
      if (fs::path(name).extension() == ending) add_file(folder / name, name, checkpoint);
    if (!checkpoint.files.empty()) return checkpoint;
  }
  return tl::unexpected(
      cannot(folder.string(), "there is no checkpoint in this folder",
             "known are .metadata, *.index.json, *.safetensors, *.bin, *.pt and *.pth"));
}

}  // namespace

base::Bytes stored_bytes(const Checkpoint& checkpoint) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  base::Bytes sum;
  for (const SavedTensor& tensor : checkpoint.tensors)
    if (tensor.storage.empty())
      sum += tensor.bytes();
    else if (seen.emplace(tensor.file, tensor.storage).second)
      sum += tensor.reserved;
  return sum;
}

std::vector<std::vector<std::string>> shared_tensors(const Checkpoint& checkpoint) {
  std::map<std::pair<std::string_view, std::string_view>, std::vector<std::string>> by_storage;
  for (const SavedTensor& tensor : checkpoint.tensors)
    if (!tensor.storage.empty()) by_storage[{tensor.file, tensor.storage}].push_back(tensor.name);
  std::vector<std::vector<std::string>> groups;
  for (auto& [storage, names] : by_storage)
    if (names.size() > 1) groups.push_back(std::move(names));
  std::sort(groups.begin(), groups.end());
  return groups;
}

base::Result<Checkpoint> read_checkpoint(const std::string& path) {
  std::error_code error;
  base::Result<Checkpoint> checkpoint = Checkpoint{};
  if (fs::is_directory(path, error)) {
    checkpoint = read_folder(path);
  } else if (fs::is_regular_file(path, error)) {
    const fs::path file(path);
    if (file.filename() == ".metadata") return read_checkpoint(file.parent_path().string());
    if (file.string().ends_with(".index.json"))
      checkpoint = read_sharded(file.parent_path(), file.filename().string());
    else
      add_file(file, path, *checkpoint);
  } else {
    return tl::unexpected(cannot(path, "is no file and no folder", "check the path"));
  }
  if (checkpoint && checkpoint->tensors.empty() && base::has_errors(checkpoint->problems))
    return tl::unexpected(std::move(checkpoint->problems));
  return checkpoint;
}

}  // namespace strategies::checkpoint_file
