#include "strategies/checkpoint_file/torch_file.hpp"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>

#include "base/quantity.hpp"
#include "strategies/checkpoint_file/pickle.hpp"
#include "strategies/checkpoint_file/pickled_tensors.hpp"

namespace strategies::checkpoint_file {

namespace {

void problem(Checkpoint& checkpoint, const std::string& file, std::string message,
             std::string hint = {}) {
  checkpoint.problems.push_back({{file}, std::move(message), std::move(hint)});
}

void add_problems(Checkpoint& checkpoint, const base::Diagnostics& more) {
  checkpoint.problems.insert(checkpoint.problems.end(), more.begin(), more.end());
}

/// A zip archive that is only read.
class Archive {
 public:
  explicit Archive(const std::string& path) {
    int code = 0;
    archive_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
    if (archive_ != nullptr) return;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    problem_ = zip_error_strerror(&error);
    zip_error_fini(&error);
  }

  const std::string& problem() const { return problem_; }

  /// Sizes of all members, unpacked.
  std::map<std::string, std::uint64_t> members() const {
    std::map<std::string, std::uint64_t> sizes;
    const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
    for (zip_int64_t i = 0; i < count; ++i) {
      zip_stat_t stat;
      zip_stat_init(&stat);
      if (zip_stat_index(archive_.get(), static_cast<zip_uint64_t>(i), 0, &stat) != 0) continue;
      if ((stat.valid & ZIP_STAT_NAME) != 0 && (stat.valid & ZIP_STAT_SIZE) != 0)
        sizes[stat.name] = stat.size;
    }
    return sizes;
  }

  /// Unpacks a member; no more than pickle_bytes_max, whatever the archive says of its size.
  tl::expected<std::string, std::string> unpack(const std::string& name) const {
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(
        zip_fopen(archive_.get(), name.c_str(), 0), zip_fclose);
    if (file == nullptr) return tl::unexpected(std::string(zip_strerror(archive_.get())));
    std::string bytes;
    std::string piece(std::size_t{1} << 16, '\0');
    for (;;) {
      const zip_int64_t got = zip_fread(file.get(), piece.data(), piece.size());
      if (got == 0) return bytes;
      if (got < 0) return tl::unexpected(std::string(zip_file_strerror(file.get())));
      bytes.append(piece.data(), static_cast<std::size_t>(got));
      if (bytes.size() > pickle_bytes_max)
        return tl::unexpected(fmt::format("unpacks to more than {} MiB", pickle_bytes_max >> 20U));
    }
  }

 private:
  struct Close {
    void operator()(zip_t* archive) const { zip_discard(archive); }
  };
  std::unique_ptr<zip_t, Close> archive_;
  std::string problem_;
};

/// Storages of tensors [first, end) and what the archive has for them.
void compare_storages(const std::map<std::string, std::uint64_t>& members,
                      const std::string& folder, std::size_t first, const std::string& name,
                      Checkpoint& checkpoint) {
  std::set<std::string> seen;
  for (std::size_t i = first; i < checkpoint.tensors.size(); ++i) {
    const SavedTensor& tensor = checkpoint.tensors[i];
    if (!seen.insert(tensor.storage).second) continue;
    const auto member = members.find(fmt::format("{}data/{}", folder, tensor.storage));
    if (member == members.end())
      problem(checkpoint, name,
              fmt::format("storage '{}' of tensor '{}' is not in the archive", tensor.storage,
                          tensor.name));
    else if (member->second != static_cast<std::uint64_t>(tensor.reserved.count()))
      problem(checkpoint, name,
              fmt::format("storage '{}' of tensor '{}' has {} bytes, but {} are announced",
                          tensor.storage, tensor.name, member->second, tensor.reserved.count()));
  }
}

/// The integer that begins torch.save's older files, 0x1950a86a20f9469cfc6c, little-endian.
constexpr std::string_view legacy_magic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Magic number, protocol, system, the object, keys of the storages.
constexpr int legacy_pickles = 5;
constexpr int legacy_object = 3;

/// What the file should have behind its pickles: for each storage its length and its elements.
base::Bytes storages_bytes(const Checkpoint& checkpoint, std::size_t first) {
  std::set<std::string> seen;
  base::Bytes sum;
  for (std::size_t i = first; i < checkpoint.tensors.size(); ++i) {
    const SavedTensor& tensor = checkpoint.tensors[i];
    if (seen.insert(tensor.storage).second)
      sum += tensor.reserved + base::Bytes::from_count(sizeof(std::int64_t));
  }
  return sum;
}

}  // namespace

bool read_torch_zip(const std::string& path, const std::string& name, Checkpoint& checkpoint) {
  const Archive archive(path);
  if (!archive.problem().empty()) {
    problem(checkpoint, name, fmt::format("the zip archive cannot be read: {}", archive.problem()));
    return false;
  }
  const auto members = archive.members();
  std::string folder;
  bool found = false;
  for (const auto& [member, size] : members) {
    const std::size_t slash = member.find('/');
    if (slash == std::string::npos || member.substr(slash) != "/data.pkl") continue;
    folder = member.substr(0, slash + 1);
    found = true;
  }
  if (!found) {
    problem(checkpoint, name, "the zip archive has no NAME/data.pkl",
            "torch.save writes one; is it another kind of archive?");
    return false;
  }
  const auto bytes = archive.unpack(folder + "data.pkl");
  if (!bytes) {
    problem(checkpoint, name, fmt::format("{}data.pkl {}", folder, bytes.error()));
    return false;
  }
  const base::Result<Pickle> pickle = read_pickle(*bytes, name);
  if (!pickle) {
    add_problems(checkpoint, pickle.error());
    return false;
  }
  const std::size_t first = checkpoint.tensors.size();
  find_tensors(*pickle, name, checkpoint);
  compare_storages(members, folder, first, name, checkpoint);
  return true;
}

bool read_torch_legacy(const std::string& path, const std::string& name, Checkpoint& checkpoint) {
  std::error_code unknown;
  const std::uintmax_t size = std::filesystem::file_size(path, unknown);
  std::ifstream in(path, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(std::min<std::uintmax_t>(size, pickle_bytes_max)),
                    '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  std::string_view rest(bytes);
  const std::size_t first = checkpoint.tensors.size();
  for (int i = 0; i < legacy_pickles; ++i) {
    const base::Result<Pickle> pickle = read_pickle(rest, name);
    if (!pickle) {
      add_problems(checkpoint, pickle.error());
      return false;
    }
    if (i == 0 && pickle->root_value().text != legacy_magic) {
      problem(checkpoint, name, "this pickle was not written by torch.save");
      return false;
    }
    if (i == legacy_object) find_tensors(*pickle, name, checkpoint);
    rest.remove_prefix(pickle->size);
  }
  const auto left = static_cast<std::int64_t>(size - (bytes.size() - rest.size()));
  const base::Bytes wanted = storages_bytes(checkpoint, first);
  if (left != wanted.count())
    problem(checkpoint, name,
            fmt::format("{} bytes of storages follow the pickles, {} are announced", left,
                        wanted.count()));
  return true;
}

}  // namespace strategies::checkpoint_file
