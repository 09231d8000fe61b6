#include "strategies/checkpoint_file/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/map_reader.hpp"

namespace strategies::checkpoint_file {

namespace {

/// Signs of a header that begin a value or an entry; more than a million tensors have.
constexpr std::ptrdiff_t signs_max = 10'000'000;

/// Bytes of one tensor behind the header.
struct Interval {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::string name;
  base::SourceRef where;
};

class HeaderReader {
 public:
  HeaderReader(const base::Document& document, std::uint64_t data, const std::string& file,
               Checkpoint& checkpoint)
      : document_(document), data_(data), file_(file), checkpoint_(checkpoint) {}

  void read() {
    if (document_.root.kind != base::Node::Kind::map)
      return error(document_.where(document_.root), "the header is no JSON object");
    for (const base::Node::Entry& entry : document_.root.entries)
      if (entry.key == "__metadata__")
        metadata(entry.value);
      else
        tensor(entry);
    check_cover();
  }

 private:
  void error(const base::SourceRef& where, std::string message, std::string hint = {}) {
    checkpoint_.problems.push_back({where, std::move(message), std::move(hint)});
  }

  void metadata(const base::Node& node) {
    if (node.kind != base::Node::Kind::map)
      return error(document_.where(node), "'__metadata__' is no map of texts");
    for (const base::Node::Entry& entry : node.entries)
      if (entry.value.kind == base::Node::Kind::scalar)
        value(entry.key, entry.value.text);
      else
        error(document_.where(entry.value),
              fmt::format("'{}' of '__metadata__' is no text", entry.key));
  }

  /// Shards mostly say the same.
  void value(const std::string& key, const std::string& text) {
    const std::pair<std::string, std::string> one(key, text);
    std::vector<std::pair<std::string, std::string>>& values = checkpoint_.values;
    if (std::find(values.begin(), values.end(), one) == values.end()) values.push_back(one);
  }

  /// Whole numbers from 0 up; nothing, and a word about it, otherwise.
  std::optional<std::vector<std::int64_t>> numbers(base::MapReader& map, std::string_view key,
                                                   const std::string& name) {
    const base::Node* node = map.find(key);
    if (node == nullptr || node->kind != base::Node::Kind::sequence) {
      error(map.where(key), fmt::format("tensor '{}' has no list '{}'", name, key));
      return std::nullopt;
    }
    std::vector<std::int64_t> values;
    for (const base::Node& item : node->items) {
      std::int64_t value = -1;
      const bool digits = !item.quoted && !item.text.empty() && item.text.size() < 19 &&
                          item.text.find_first_not_of("0123456789") == std::string::npos;
      if (digits) value = std::stoll(item.text);
      if (value < 0) {
        error(document_.where(item),
              fmt::format("'{}' of tensor '{}' is no whole number from 0 up", key, name));
        return std::nullopt;
      }
      values.push_back(value);
    }
    return values;
  }

  void tensor(const base::Node::Entry& entry) {
    base::MapReader map(document_, entry.value, entry.key, checkpoint_.problems);
    if (entry.value.kind != base::Node::Kind::map) return;
    SavedTensor saved;
    saved.name = entry.key;
    saved.file = file_;
    std::string type;
    if (!map.require("dtype", type)) return;
    saved.type = type_of_safetensors(type);
    const auto shape = numbers(map, "shape", entry.key);
    const auto offsets = numbers(map, "data_offsets", entry.key);
    map.finish();
    if (saved.type == nullptr)
      return error(map.where("dtype"),
                   fmt::format("tensor '{}' has the unknown type '{}'", entry.key, type));
    if (!shape || !offsets) return;
    saved.shape = *shape;
    if (!elements_of(saved.shape))
      return error(map.where("shape"),
                   fmt::format("tensor '{}' has more elements than can be counted", entry.key));
    place(saved, *offsets, map.where("data_offsets"));
    checkpoint_.tensors.push_back(std::move(saved));
  }

  void place(const SavedTensor& saved, const std::vector<std::int64_t>& offsets,
             const base::SourceRef& where) {
    if (offsets.size() != 2 || offsets[0] > offsets[1])
      return error(where, fmt::format("offsets of tensor '{}' are no begin and end", saved.name));
    const std::int64_t length = offsets[1] - offsets[0];
    if (length != saved.bytes().count() || (saved.elements() * saved.type->bits) % 8 != 0)
      error(where, fmt::format("tensor '{}' has {} bytes, but its shape and type need {}",
                               saved.name, length, saved.bytes().count()));
    if (static_cast<std::uint64_t>(offsets[1]) > data_)
      error(where,
            fmt::format("tensor '{}' ends at byte {}, but {} bytes follow the header", saved.name,
                        offsets[1], data_),
            "the file was cut off or is damaged");
    intervals_.push_back({offsets[0], offsets[1], saved.name, where});
  }

  /// Each byte behind the header belongs to one tensor.
  void check_cover() {
    std::stable_sort(intervals_.begin(), intervals_.end(),
                     [](const Interval& a, const Interval& b) {
                       return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
                     });
    std::int64_t covered = 0;
    const std::string* last = nullptr;
    for (const Interval& one : intervals_) {
      if (one.begin < covered && one.end > one.begin)
        error(one.where,
              fmt::format("tensor '{}' begins at byte {}, inside tensor '{}', which ends at {}",
                          one.name, one.begin, last != nullptr ? *last : "", covered));
      else if (one.begin > covered)
        error(one.where, fmt::format("bytes {} to {} before tensor '{}' belong to no tensor",
                                     covered, one.begin, one.name));
      if (one.end > covered || last == nullptr) last = &one.name;
      covered = std::max(covered, one.end);
    }
    if (static_cast<std::uint64_t>(covered) < data_)
      error({file_}, fmt::format("the last {} bytes belong to no tensor",
                                 data_ - static_cast<std::uint64_t>(covered)));
  }

  const base::Document& document_;
  std::uint64_t data_;
  const std::string& file_;
  Checkpoint& checkpoint_;
  std::vector<Interval> intervals_;
};

}  // namespace

void read_safetensors_header(std::string_view header, std::uint64_t data, const std::string& file,
                             Checkpoint& checkpoint) {
  const auto signs = std::count_if(header.begin(), header.end(),
                                   [](char c) { return c == ',' || c == '[' || c == '{'; });
  if (signs > signs_max) {
    checkpoint.problems.push_back(
        {{file}, fmt::format("the header has {} values, more than {}", signs, signs_max)});
    return;
  }
  const base::Result<base::Document> document = base::parse_json(header, file);
  if (!document) {
    checkpoint.problems.insert(checkpoint.problems.end(), document.error().begin(),
                               document.error().end());
    return;
  }
  HeaderReader(*document, data, file, checkpoint).read();
}

}  // namespace strategies::checkpoint_file
