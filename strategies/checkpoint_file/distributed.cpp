#include "strategies/checkpoint_file/distributed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "strategies/checkpoint_file/pickled_tensors.hpp"

namespace strategies::checkpoint_file {

namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view metadata_module = "torch.distributed.checkpoint.metadata";

struct Box {
  Shape offsets;
  Shape sizes;
};

/// Tensors with more boxes are checked by volume alone.
constexpr std::size_t pairs_max = 2000;

bool overlap(const Box& a, const Box& b) {
  for (std::size_t d = 0; d < a.offsets.size(); ++d)
    if (a.offsets[d] >= b.offsets[d] + b.sizes[d] || b.offsets[d] >= a.offsets[d] + a.sizes[d])
      return false;
  return !a.offsets.empty();
}

class MetadataReader {
 public:
  MetadataReader(const Pickle& pickle, const std::string& file, Checkpoint& checkpoint)
      : pickle_(pickle), file_(file), checkpoint_(checkpoint) {}

  base::Result<FileReach> read() {
    const PickleValue& root = pickle_.root_value();
    const PickleValue* tensors = pickle_.find(root, "state_dict_metadata");
    if (!pickle_.is_call(root, metadata_module, "Metadata") || tensors == nullptr ||
        tensors->kind != Kind::dict)
      return tl::unexpected(
          base::Diagnostics{{{file_},
                             "this is no metadata of a PyTorch distributed checkpoint",
                             fmt::format("its root is '{}'", pickle_.callee(root))}});
    read_storage(pickle_.find(root, "storage_data"));
    for (std::size_t i = 0; i + 1 < tensors->items.size(); i += 2) {
      const PickleValue& name = pickle_.at(tensors->items[i]);
      if (name.kind != Kind::text)
        problem("a name is no text");
      else
        entry(std::string(name.text), pickle_.at(tensors->items[i + 1]));
    }
    return std::move(reach_);
  }

 private:
  void problem(std::string message) {
    checkpoint_.problems.push_back({{file_}, std::move(message)});
  }

  std::optional<Shape> extents(const PickleValue* value) const {
    if (value == nullptr) return std::nullopt;
    auto shape = extents_of(pickle_, *value);
    // Sums of two stay far inside 64 bits.
    if (shape && std::any_of(shape->begin(), shape->end(),
                             [](std::int64_t extent) { return extent >> 56 != 0; }))
      return std::nullopt;
    return shape;
  }

  static std::string key_of(std::string_view name, const Shape& offset) {
    std::string key(name);
    for (const std::int64_t one : offset) key += fmt::format("|{}", one);
    return key;
  }

  std::int64_t whole(const PickleValue& object, std::string_view key) const {
    const PickleValue* value = pickle_.find(object, key);
    return value != nullptr && value->kind == Kind::integer ? value->integer : -1;
  }

  /// {MetadataIndex(fqn, offset): _StorageInfo(relative_path, offset, length)}
  void read_storage(const PickleValue* data) {
    if (data == nullptr || data->kind != Kind::dict)
      return problem("it does not say in which files its parts lie");
    for (std::size_t i = 0; i + 1 < data->items.size(); i += 2) {
      const PickleValue& index = pickle_.at(data->items[i]);
      const PickleValue& info = pickle_.at(data->items[i + 1]);
      const PickleValue* name = pickle_.find(index, "fqn");
      const PickleValue* path = pickle_.find(info, "relative_path");
      const std::int64_t begin = whole(info, "offset");
      const std::int64_t length = whole(info, "length");
      // Compressed ones are shorter than their tensors.
      const PickleValue* transforms = pickle_.find(info, "transform_descriptors");
      const bool packed = transforms != nullptr && !transforms->items.empty();
      if (name == nullptr || name->kind != Kind::text || path == nullptr ||
          path->kind != Kind::text || begin < 0 || length < 0 || begin >> 62 != 0 ||
          length >> 62 != 0) {
        problem(fmt::format("storage {} has no name, file, offset or length", i / 2));
        continue;
      }
      std::int64_t& end = reach_[std::string(path->text)];
      end = std::max(end, begin + length);
      places_[key_of(name->text, extents(pickle_.find(index, "offset")).value_or(Shape{}))] = {
          std::string(path->text), length, packed};
    }
  }

  void entry(const std::string& name, const PickleValue& value) {
    if (pickle_.is_call(value, metadata_module, "BytesStorageMetadata")) {
      if (!places_.contains(name)) problem(fmt::format("'{}' lies in no file", name));
      return checkpoint_.values.emplace_back(name, "object"), void();
    }
    if (!pickle_.is_call(value, metadata_module, "TensorStorageMetadata")) {
      checkpoint_.unknown.try_emplace(pickle_.callee(value), name);
      return;
    }
    SavedTensor saved;
    saved.name = name;
    const auto shape = extents(pickle_.find(value, "size"));
    saved.type = type_of(pickle_.find(value, "properties"));
    if (!shape || saved.type == nullptr || !elements_of(*shape))
      return problem(fmt::format("tensor '{}' has no shape or type", name));
    saved.shape = *shape;
    const std::vector<Box> boxes = boxes_of(value, saved);
    saved.parts = static_cast<int>(boxes.size());
    check(saved, boxes);
    checkpoint_.tensors.push_back(std::move(saved));
  }

  /// TensorProperties is a tuple (dtype, layout, …) or the same as attributes.
  const ElementType* type_of(const PickleValue* properties) const {
    if (properties == nullptr) return nullptr;
    const PickleValue* type = pickle_.find(*properties, "dtype");
    if (type == nullptr && properties->kind == Kind::call && properties->state != no_pickle_id) {
      const PickleValue& state = pickle_.at(properties->state);
      if (state.kind == Kind::tuple && !state.items.empty()) type = &pickle_.at(state.items[0]);
    }
    if (type == nullptr || type->kind != Kind::global || type->text != "torch") return nullptr;
    return type_of_torch(type->name);
  }

  std::vector<Box> boxes_of(const PickleValue& value, const SavedTensor& saved) {
    std::vector<Box> boxes;
    const PickleValue* chunks = pickle_.find(value, "chunks");
    if (chunks == nullptr || chunks->kind != Kind::list) {
      problem(fmt::format("tensor '{}' has no list of chunks", saved.name));
      return boxes;
    }
    for (const PickleId id : chunks->items) {
      const auto offsets = extents(pickle_.find(pickle_.at(id), "offsets"));
      const auto sizes = extents(pickle_.find(pickle_.at(id), "sizes"));
      if (offsets && sizes && offsets->size() == saved.shape.size() &&
          sizes->size() == saved.shape.size() && elements_of(*sizes))
        boxes.push_back({*offsets, *sizes});
      else
        problem(fmt::format("a chunk of tensor '{}' has other dimensions", saved.name));
    }
    return boxes;
  }

  void check(SavedTensor& saved, const std::vector<Box>& boxes) {
    double volume = 0;
    bool inside = true;
    for (const Box& box : boxes) {
      volume += static_cast<double>(*elements_of(box.sizes));
      for (std::size_t d = 0; d < saved.shape.size(); ++d)
        inside = inside && box.offsets[d] + box.sizes[d] <= saved.shape[d];
      place(saved, box);
    }
    if (!inside) problem(fmt::format("a chunk of tensor '{}' lies outside of it", saved.name));
    if (volume != static_cast<double>(saved.elements()))
      problem(fmt::format("chunks of tensor '{}' have {:.0f} elements together, it has {}",
                          saved.name, volume, saved.elements()));
    if (boxes.size() > pairs_max) return;
    for (std::size_t a = 0; a < boxes.size(); ++a)
      for (std::size_t b = a + 1; b < boxes.size(); ++b)
        if (overlap(boxes[a], boxes[b]))
          return problem(fmt::format("chunks {} and {} of tensor '{}' overlap", a, b, saved.name));
  }

  void place(SavedTensor& saved, const Box& box) {
    auto found = places_.find(key_of(saved.name, box.offsets));
    if (found == places_.end()) found = places_.find(saved.name);  // a whole tensor has no offset
    if (found == places_.end())
      return problem(fmt::format("a chunk of tensor '{}' lies in no file", saved.name));
    const Stored& stored = found->second;
    if (saved.file.empty()) saved.file = stored.path;
    const base::Bytes needed = bytes_of(*elements_of(box.sizes), *saved.type);
    if (!stored.packed && stored.length < needed.count())
      problem(fmt::format("a chunk of tensor '{}' has {} bytes in {}, it needs {}", saved.name,
                          stored.length, stored.path, needed.count()));
  }

  const Pickle& pickle_;
  const std::string& file_;
  Checkpoint& checkpoint_;
  FileReach reach_;
  struct Stored {
    std::string path;
    std::int64_t length = 0;
    bool packed = false;
  };
  std::map<std::string, Stored> places_;
};

}  // namespace

base::Result<FileReach> read_distributed_metadata(std::string_view bytes, const std::string& file,
                                                  Checkpoint& checkpoint) {
  const base::Result<Pickle> pickle = read_pickle(bytes, file);
  if (!pickle) return tl::unexpected(pickle.error());
  return MetadataReader(*pickle, file, checkpoint).read();
}

}  // namespace strategies::checkpoint_file
