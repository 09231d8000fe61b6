#include "strategies/checkpoint_file/pickled_tensors.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace strategies::checkpoint_file {

namespace {

using Kind = PickleValue::Kind;

/// A pickle can name one object under exponentially many paths.
constexpr int steps_max = 4'000'000;
constexpr int depth_max = 100;
constexpr std::size_t values_max = 64;

class Finder {
 public:
  Finder(const Pickle& pickle, const std::string& file, Checkpoint& checkpoint)
      : pickle_(pickle), file_(file), checkpoint_(checkpoint), open_(pickle.values.size()) {}

  void run() { walk(pickle_.root, "", 0); }

 private:
  void problem(std::string message) {
    checkpoint_.problems.push_back({{file_}, std::move(message)});
  }

  // --- tensors -------------------------------------------------------------------------------

  std::optional<Shape> extents(PickleId id) const { return extents_of(pickle_, pickle_.at(id)); }

  /// ('storage', class, key, place, elements): torch.serialization's persistent_id.
  struct Storage {
    const ElementType* type = nullptr;
    std::string key;
    std::int64_t elements = 0;
  };

  std::optional<Storage> storage(PickleId id) const {
    const PickleValue& outside = pickle_.at(id);
    if (outside.kind != Kind::persistent) return std::nullopt;
    const PickleValue& tuple = pickle_.at(outside.items[0]);
    if (tuple.kind != Kind::tuple || tuple.items.size() < 5) return std::nullopt;
    const auto part = [&](std::size_t i) -> const PickleValue& {
      return pickle_.at(tuple.items[i]);
    };
    if (part(0).text != "storage" || part(1).kind != Kind::global || part(2).kind != Kind::text ||
        part(4).kind != Kind::integer || part(4).integer < 0)
      return std::nullopt;
    Storage made{type_of_storage(part(1).name), std::string(part(2).text), part(4).integer};
    if (part(1).name == "UntypedStorage") made.type = type_of_torch("uint8");
    if (made.type == nullptr || !elements_of({made.elements})) return std::nullopt;
    return made;
  }

  /// _rebuild_tensor_v2(storage, offset, size, stride, …), _v3 with its type behind the hooks.
  std::optional<SavedTensor> tensor(std::span<const PickleId> arguments, bool typed) const {
    if (arguments.size() < 4) return std::nullopt;
    const auto bytes = storage(arguments[0]);
    const PickleValue& offset = pickle_.at(arguments[1]);
    const auto shape = extents(arguments[2]);
    const auto stride = extents(arguments[3]);
    if (!bytes || !shape || !stride || stride->size() != shape->size() || !elements_of(*shape) ||
        offset.kind != Kind::integer || offset.integer < 0)
      return std::nullopt;
    SavedTensor saved;
    saved.type = bytes->type;
    if (typed) {
      if (arguments.size() < 7) return std::nullopt;
      const PickleValue& type = pickle_.at(arguments[6]);
      saved.type =
          type.kind == Kind::global && type.text == "torch" ? type_of_torch(type.name) : nullptr;
      if (saved.type == nullptr) return std::nullopt;
    }
    saved.shape = *shape;
    saved.file = file_;
    saved.storage = bytes->key;
    saved.reserved = bytes_of(bytes->elements, *bytes->type);
    return saved;
  }

  /// The element behind the last one that a view reaches, in its storage; -1 beyond counting.
  std::int64_t reach(std::span<const PickleId> arguments) const {
    const Shape shape = *extents(arguments[2]);
    const Shape stride = *extents(arguments[3]);
    if (*elements_of(shape) == 0) return 0;
    double last = static_cast<double>(pickle_.at(arguments[1]).integer);
    for (std::size_t i = 0; i < shape.size(); ++i)
      last += static_cast<double>(shape[i] - 1) * static_cast<double>(stride[i]);
    return last < 0x1p53 ? static_cast<std::int64_t>(last) + 1 : -1;
  }

  /// The arguments of the function that rebuilds a tensor, behind what wraps it.
  struct Rebuild {
    std::span<const PickleId> arguments;
    bool typed = false;
  };

  std::optional<Rebuild> rebuild(const PickleValue& value, int depth = 0) const {
    if (depth > 8) return std::nullopt;
    const std::string callee = pickle_.callee(value);
    const auto arguments = pickle_.arguments(value);
    if (callee == "torch._utils._rebuild_tensor" || callee == "torch._utils._rebuild_tensor_v2" ||
        callee == "torch._utils._rebuild_qtensor")
      return Rebuild{arguments, false};
    if (callee == "torch._utils._rebuild_tensor_v3") return Rebuild{arguments, true};
    if (arguments.empty()) return std::nullopt;
    if (callee == "torch._utils._rebuild_parameter" ||
        callee == "torch._utils._rebuild_parameter_with_state")
      return rebuild(pickle_.at(arguments[0]), depth + 1);
    if (callee == "torch._tensor._rebuild_from_type_v2" && arguments.size() >= 3) {
      // (function, type, its arguments, state)
      const PickleValue& function = pickle_.at(arguments[0]);
      const PickleValue& tuple = pickle_.at(arguments[2]);
      if (function.kind != Kind::global || tuple.kind != Kind::tuple) return std::nullopt;
      PickleValue inner{.kind = Kind::call};
      inner.items = {arguments[0], arguments[2]};
      return rebuild(inner, depth + 1);
    }
    return std::nullopt;
  }

  /// False where the value is no tensor.
  bool add_tensor(const PickleValue& value, const std::string& path) {
    const auto made = rebuild(value);
    if (!made) return false;
    auto saved = tensor(made->arguments, made->typed);
    if (!saved) return false;
    saved->name = path;
    const std::int64_t last = reach(made->arguments);
    const auto room = static_cast<double>(saved->reserved.count()) * 8 / saved->type->bits;
    if (last < 0 || static_cast<double>(last) > room)
      problem(fmt::format("tensor '{}' reaches beyond its storage '{}' of {} bytes", path,
                          saved->storage, saved->reserved.count()));
    checkpoint_.tensors.push_back(std::move(*saved));
    return true;
  }

  // --- what holds them -------------------------------------------------------------------------

  static std::string joined(const std::string& path, std::string_view key) {
    return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
  }

  std::string key_text(PickleId id, std::size_t index) const {
    if (id == no_pickle_id) return fmt::format("{}", index);
    const PickleValue& key = pickle_.at(id);
    if (key.kind == Kind::text) return std::string(key.text);
    if (key.kind == Kind::integer) return fmt::format("{}", key.integer);
    return fmt::format("({})", index);
  }

  void walk_pairs(std::span<const PickleId> items, const std::string& path, int depth) {
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      walk(items[i + 1], joined(path, key_text(items[i], i / 2)), depth + 1);
  }

  void walk_list(std::span<const PickleId> items, const std::string& path, int depth) {
    for (std::size_t i = 0; i < items.size(); ++i)
      walk(items[i], joined(path, fmt::format("{}", i)), depth + 1);
  }

  /// Attributes of an object; those in which modules keep their parts have no name of their own.
  void walk_attributes(const PickleValue& state, const std::string& path, int depth) {
    for (std::size_t i = 0; i + 1 < state.items.size(); i += 2) {
      const std::string key = key_text(state.items[i], i / 2);
      const bool inner = key == "_parameters" || key == "_buffers" || key == "_modules";
      walk(state.items[i + 1], inner ? path : joined(path, key), depth + 1);
    }
  }

  void walk_call(const PickleValue& value, const std::string& path, int depth) {
    if (add_tensor(value, path)) return;
    const std::string callee = pickle_.callee(value);
    const bool ordered = callee == "collections.OrderedDict";
    const bool plain = ordered || callee == "torch.Size" || callee == "collections.defaultdict" ||
                       callee == "builtins.set" || callee == "__builtin__.set";
    if (!plain)
      checkpoint_.unknown.try_emplace(callee.empty() ? "what another call returns" : callee,
                                      path.empty() ? "the root" : path);
    walk_pairs(std::span<const PickleId>(value.items).subspan(2), path, depth);
    if (ordered) return;  // its state is a state_dict's versions
    walk_list(pickle_.arguments(value), path, depth);
    if (value.state == no_pickle_id) return;
    const PickleValue& state = pickle_.at(value.state);
    if (state.kind == Kind::dict)
      walk_attributes(state, path, depth);
    else
      walk(value.state, path, depth + 1);
  }

  void walk(PickleId id, const std::string& path, int depth) {
    if (steps_ < 0) return;
    if (++steps_ > steps_max) {
      steps_ = -1;
      return problem(
          fmt::format("it holds more than {} objects under their paths; the rest was "
                      "not looked at",
                      steps_max));
    }
    if (depth > depth_max)
      return problem(fmt::format("'{}…' is nested more than {} deep and was not looked at",
                                 path.substr(0, 60), depth_max));
    const PickleValue& value = pickle_.at(id);
    if (open_[id])
      return problem(fmt::format("'{}' holds itself", path.empty() ? "the root" : path));
    open_[id] = true;
    switch (value.kind) {
      case Kind::dict: walk_pairs(value.items, path, depth); break;
      case Kind::list:
      case Kind::tuple:
      case Kind::set: walk_list(value.items, path, depth); break;
      case Kind::call: walk_call(value, path, depth); break;
      case Kind::integer: note(path, fmt::format("{}", value.integer), depth); break;
      case Kind::boolean: note(path, value.integer != 0 ? "true" : "false", depth); break;
      case Kind::text: note(path, std::string(value.text), depth); break;
      default: break;
    }
    open_[id] = false;
  }

  /// Numbers and words of the outermost dict.
  void note(const std::string& path, std::string text, int depth) {
    if (depth == 1 && text.size() <= 80 && checkpoint_.values.size() < values_max)
      checkpoint_.values.emplace_back(path, std::move(text));
  }

  const Pickle& pickle_;
  const std::string& file_;
  Checkpoint& checkpoint_;
  std::vector<bool> open_;
  int steps_ = 0;
};

}  // namespace

std::optional<Shape> extents_of(const Pickle& pickle, const PickleValue& value) {
  const PickleValue* extents = &value;
  if (pickle.is_call(value, "torch", "Size")) {
    const auto arguments = pickle.arguments(value);
    if (arguments.size() != 1) return std::nullopt;
    extents = &pickle.at(arguments[0]);
  }
  if (extents->kind != Kind::tuple && extents->kind != Kind::list) return std::nullopt;
  Shape shape;
  for (const PickleId item : extents->items) {
    const PickleValue& extent = pickle.at(item);
    if (extent.kind != Kind::integer || extent.integer < 0) return std::nullopt;
    shape.push_back(extent.integer);
  }
  return shape;
}

void find_tensors(const Pickle& pickle, const std::string& file, Checkpoint& checkpoint) {
  Finder(pickle, file, checkpoint).run();
}

}  // namespace strategies::checkpoint_file
