#include "strategies/checkpoint_file/pickle.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <unordered_map>
#include <utility>

namespace strategies::checkpoint_file {

namespace {

using Kind = PickleValue::Kind;

/// The stack machine. Names of opcodes are those of Python's pickletools.
class Machine {
 public:
  Machine(std::string_view bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  base::Result<Pickle> run() {
    while (error_.empty()) {
      const std::optional<std::string_view> op = take(1);
      if (!op) break;
      if (*op == ".") return stop();
      if (!literal(op->front()) && !number(op->front()) && !words(op->front()) &&
          !container(op->front()) && !memory(op->front()) && !object(op->front()))
        fail(fmt::format("opcode 0x{:02x} is not known", static_cast<unsigned char>(op->front())));
    }
    return tl::unexpected(base::Diagnostics{{{file_},
                                             fmt::format("pickle, byte {}: {}", at_, error_),
                                             "the file is damaged or hostile"}});
  }

 private:
  // --- bytes -------------------------------------------------------------------------------

  bool fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
    return true;  // the opcode was known
  }

  std::optional<std::string_view> take(std::uint64_t count) {
    if (count > bytes_.size() - at_) {
      fail(fmt::format("{} bytes are announced, {} are left", count, bytes_.size() - at_));
      return std::nullopt;
    }
    const std::string_view part = bytes_.substr(at_, static_cast<std::size_t>(count));
    at_ += static_cast<std::size_t>(count);
    return part;
  }

  std::optional<std::string_view> take_line() {
    const std::size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) {
      fail("a line does not end");
      return std::nullopt;
    }
    const std::string_view line = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return line;
  }

  /// Little-endian, without sign.
  std::optional<std::uint64_t> take_number(int width) {
    const auto part = take(static_cast<std::uint64_t>(width));
    if (!part) return std::nullopt;
    std::uint64_t value = 0;
    for (int i = width; i-- > 0;)
      value = value << 8U | static_cast<unsigned char>((*part)[static_cast<std::size_t>(i)]);
    return value;
  }

  /// As many bytes as a number of `width` bytes before them says.
  std::optional<std::string_view> take_counted(int width) {
    const auto count = take_number(width);
    return count ? take(*count) : std::nullopt;
  }

  // --- the stack ---------------------------------------------------------------------------

  /// Every element of every container was pushed once, so that this bounds them all.
  bool count() { return ++pushes_ <= 4 * pickle_values_max || !fail("too many steps"); }

  bool push(PickleId id) {
    if (count()) stack_.push_back(id);
    return true;
  }

  bool push(PickleValue value) {
    if (values_.size() >= pickle_values_max)
      return fail(fmt::format("more than {} values", pickle_values_max));
    values_.push_back(std::move(value));
    return push(static_cast<PickleId>(values_.size() - 1));
  }

  bool push(Kind kind) { return push(PickleValue{.kind = kind}); }
  bool push_integer(std::int64_t value) {
    return push(PickleValue{.kind = Kind::integer, .integer = value});
  }
  bool push_text(Kind kind, std::optional<std::string_view> text) {
    return text ? push(PickleValue{.kind = kind, .text = *text}) : true;
  }
  bool push_items(Kind kind, std::vector<PickleId> items) {
    PickleValue value{.kind = kind};
    value.items = std::move(items);
    return push(std::move(value));
  }

  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  std::optional<PickleId> pop() {
    if (stack_.size() <= floor()) {
      fail("the stack is empty");
      return std::nullopt;
    }
    const PickleId id = stack_.back();
    stack_.pop_back();
    return id;
  }

  /// What is above the last mark, in order.
  std::optional<std::vector<PickleId>> pop_mark() {
    if (marks_.empty()) {
      fail("there is no mark");
      return std::nullopt;
    }
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<PickleId> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }

  /// The last `count`, in order.
  std::optional<std::vector<PickleId>> pop_several(std::size_t count) {
    if (stack_.size() - floor() < count) {
      fail("the stack is empty");
      return std::nullopt;
    }
    std::vector<PickleId> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }

  std::optional<PickleId> top() {
    if (stack_.size() <= floor()) {
      fail("the stack is empty");
      return std::nullopt;
    }
    return stack_.back();
  }

  // --- opcodes, by group; false: not of this group ---------------------------------------------

  bool literal(char op) {
    switch (op) {
      case '\x80': return take(1), true;  // PROTO
      case '\x95': return take(8), true;  // FRAME
      case 'N': return push(Kind::none);
      case '\x88': return push(PickleValue{.kind = Kind::boolean, .integer = 1});
      case '\x89': return push(PickleValue{.kind = Kind::boolean, .integer = 0});
      case '(':
        if (count()) marks_.push_back(stack_.size());
        return true;
      case '0':  // POP: a mark where one is on top
        if (!marks_.empty() && marks_.back() == stack_.size()) return marks_.pop_back(), true;
        return pop(), true;
      case '1': return pop_mark(), true;
      case '2': {
        const auto id = top();
        return id ? push(*id) : true;
      }
      default: return false;
    }
  }

  bool push_unsigned(int width) {
    const auto value = take_number(width);
    return value ? push_integer(static_cast<std::int64_t>(*value)) : true;
  }

  /// Two's complement of any length.
  bool push_long(std::optional<std::string_view> part) {
    if (!part) return true;
    if (part->size() > 8) return push_text(Kind::large_integer, part);
    std::uint64_t value = part->empty() || (part->back() & 0x80) == 0 ? 0 : ~std::uint64_t{0};
    for (std::size_t i = part->size(); i-- > 0;)
      value = value << 8U | static_cast<unsigned char>((*part)[i]);
    return push_integer(static_cast<std::int64_t>(value));
  }

  bool push_decimal(std::optional<std::string_view> line) {
    if (!line) return true;
    if (*line == "00" || *line == "01")
      return push(PickleValue{.kind = Kind::boolean, .integer = line->back() - '0'});
    if (!line->empty() && line->back() == 'L') line->remove_suffix(1);
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(line->data(), line->data() + line->size(), value);
    if (code == std::errc::result_out_of_range) return push_text(Kind::large_integer, line);
    if (code != std::errc() || end != line->data() + line->size()) return fail("a number is none");
    return push_integer(value);
  }

  bool number(char op) {
    switch (op) {
      case 'K': return push_unsigned(1);  // BININT1
      case 'M': return push_unsigned(2);  // BININT2
      case 'J': {                         // BININT
        const auto value = take_number(4);
        return value ? push_integer(static_cast<std::int32_t>(*value)) : true;
      }
      case '\x8a': return push_long(take_counted(1));
      case '\x8b': return push_long(take_counted(4));
      case 'I':
      case 'L': return push_decimal(take_line());
      case 'G': return take(8) ? push(Kind::real) : true;
      case 'F': return take_line() ? push(Kind::real) : true;
      default: return false;
    }
  }

  bool words(char op) {
    switch (op) {
      case 'X': return push_text(Kind::text, take_counted(4));     // BINUNICODE
      case '\x8c': return push_text(Kind::text, take_counted(1));  // SHORT_BINUNICODE
      case '\x8d': return push_text(Kind::text, take_counted(8));  // BINUNICODE8
      case 'V': return push_text(Kind::text, take_line());         // UNICODE
      case 'T': return push_text(Kind::text, take_counted(4));     // BINSTRING, of Python 2
      case 'U': return push_text(Kind::text, take_counted(1));     // SHORT_BINSTRING
      case 'S': {                                                  // STRING, in quotes
        auto line = take_line();
        if (line && line->size() >= 2) line = line->substr(1, line->size() - 2);
        return push_text(Kind::text, line);
      }
      case 'B': return push_text(Kind::bytes, take_counted(4));     // BINBYTES
      case 'C': return push_text(Kind::bytes, take_counted(1));     // SHORT_BINBYTES
      case '\x8e': return push_text(Kind::bytes, take_counted(8));  // BINBYTES8
      case '\x96': return push_text(Kind::bytes, take_counted(8));  // BYTEARRAY8
      default: return false;
    }
  }

  bool collect(Kind kind, std::optional<std::vector<PickleId>> items) {
    if (!items) return true;
    if (kind == Kind::dict && items->size() % 2 != 0) return fail("a key has no value");
    return push_items(kind, std::move(*items));
  }

  /// Adds to the container under the arguments; a call stands for a container of its own.
  bool put(std::optional<std::vector<PickleId>> items, Kind kind) {
    if (!items) return true;
    const auto target = top();
    if (!target) return true;
    PickleValue& value = values_[*target];
    if (value.kind != kind && value.kind != Kind::call)
      return fail("entries are put into what is no container");
    const bool keyed = kind == Kind::dict;
    if (keyed && items->size() % 2 != 0) return fail("a key has no value");
    for (const PickleId item : *items) {
      if (value.kind == Kind::call && !keyed) value.items.push_back(no_pickle_id);
      value.items.push_back(item);
    }
    return true;
  }

  bool container(char op) {
    switch (op) {
      case ')': return push(Kind::tuple);
      case '\x85': return collect(Kind::tuple, pop_several(1));
      case '\x86': return collect(Kind::tuple, pop_several(2));
      case '\x87': return collect(Kind::tuple, pop_several(3));
      case 't': return collect(Kind::tuple, pop_mark());
      case ']': return push(Kind::list);
      case 'l': return collect(Kind::list, pop_mark());
      case '}': return push(Kind::dict);
      case 'd': return collect(Kind::dict, pop_mark());
      case '\x8f': return push(Kind::set);
      case '\x91': return collect(Kind::set, pop_mark());  // FROZENSET
      case 'a': return put(pop_several(1), Kind::list);
      case 'e': return put(pop_mark(), Kind::list);
      case 's': return put(pop_several(2), Kind::dict);
      case 'u': return put(pop_mark(), Kind::dict);
      case '\x90': return put(pop_mark(), Kind::set);  // ADDITEMS
      default: return false;
    }
  }

  bool remember(std::optional<std::uint64_t> key) {
    const auto id = top();
    if (memo_.size() >= pickle_values_max) return fail("too many memos");
    if (key && id) memo_[*key] = *id;
    return true;
  }

  bool recall(std::optional<std::uint64_t> key) {
    if (!key) return true;
    const auto found = memo_.find(*key);
    if (found == memo_.end()) return fail(fmt::format("memo {} is empty", *key));
    return push(found->second);
  }

  std::optional<std::uint64_t> take_key() {
    const auto line = take_line();
    if (!line) return std::nullopt;
    std::uint64_t key = 0;
    const auto [end, code] = std::from_chars(line->data(), line->data() + line->size(), key);
    if (code != std::errc() || end != line->data() + line->size()) {
      fail("a memo is no number");
      return std::nullopt;
    }
    return key;
  }

  bool memory(char op) {
    switch (op) {
      case 'q': return remember(take_number(1));
      case 'r': return remember(take_number(4));
      case 'p': return remember(take_key());
      case '\x94': return remember(memo_.size());  // MEMOIZE
      case 'h': return recall(take_number(1));
      case 'j': return recall(take_number(4));
      case 'g': return recall(take_key());
      default: return false;
    }
  }

  bool push_global(std::optional<std::string_view> module, std::optional<std::string_view> name) {
    if (!module || !name) return true;
    return push(PickleValue{.kind = Kind::global, .text = *module, .name = *name});
  }

  bool stack_global() {
    const auto words = pop_several(2);
    if (!words) return true;
    const PickleValue& module = values_[(*words)[0]];
    const PickleValue& name = values_[(*words)[1]];
    if (module.kind != Kind::text || name.kind != Kind::text)
      return fail("a class is named by what is no text");
    return push_global(module.text, name.text);
  }

  bool build() {
    const auto state = pop();
    const auto target = state ? top() : std::nullopt;
    if (target) values_[*target].state = *state;
    return true;
  }

  /// OBJ and INST of protocol 0: a class and its arguments behind a mark.
  bool old_object(std::optional<std::vector<PickleId>> items) {
    if (!items) return true;
    if (items->empty()) return fail("an object has no class");
    const PickleId callee = items->front();
    items->erase(items->begin());
    push_items(Kind::tuple, std::move(*items));
    const auto arguments = pop();
    return arguments ? push_items(Kind::call, {callee, *arguments}) : true;
  }

  bool object(char op) {
    switch (op) {
      case 'c': {  // GLOBAL
        const auto module = take_line();
        return push_global(module, module ? take_line() : std::nullopt);
      }
      case '\x93': return stack_global();
      case 'R':     // REDUCE
      case '\x81':  // NEWOBJ
        return collect(Kind::call, pop_several(2));
      case '\x92': {  // NEWOBJ_EX: keywords are attributes to us
        const auto parts = pop_several(3);
        if (!parts) return true;
        PickleValue value{.kind = Kind::call};
        value.items = {(*parts)[0], (*parts)[1]};
        value.state = (*parts)[2];
        return push(std::move(value));
      }
      case 'b': return build();
      case 'o': return old_object(pop_mark());
      case 'i': {  // INST
        auto items = pop_mark();
        const auto module = take_line();
        if (!items || !push_global(module, module ? take_line() : std::nullopt)) return true;
        const auto callee = pop();
        if (callee) items->insert(items->begin(), *callee);
        return old_object(std::move(items));
      }
      case 'Q': return collect(Kind::persistent, pop_several(1));  // BINPERSID
      case 'P':                                                    // PERSID
        push_text(Kind::text, take_line());
        return collect(Kind::persistent, pop_several(1));
      default: return false;
    }
  }

  base::Result<Pickle> stop() {
    if (stack_.size() == 1 && marks_.empty()) return Pickle{std::move(values_), stack_.back(), at_};
    fail(fmt::format("it ends with {} values on the stack", stack_.size()));
    return tl::unexpected(base::Diagnostics{{{file_},
                                             fmt::format("pickle, byte {}: {}", at_, error_),
                                             "the file is damaged or hostile"}});
  }

  std::string_view bytes_;
  const std::string& file_;
  std::size_t at_ = 0;
  std::vector<PickleValue> values_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;
  std::size_t pushes_ = 0;
  std::unordered_map<std::uint64_t, PickleId> memo_;
  std::string error_;
};

}  // namespace

base::Result<Pickle> read_pickle(std::string_view bytes, const std::string& file) {
  return Machine(bytes, file).run();
}

bool Pickle::is_call(const PickleValue& value, std::string_view module,
                     std::string_view name) const {
  if (value.kind != Kind::call) return false;
  const PickleValue& what = at(value.items[0]);
  return what.kind == Kind::global && what.text == module && what.name == name;
}

std::string Pickle::callee(const PickleValue& value) const {
  if (value.kind != Kind::call) return {};
  const PickleValue& what = at(value.items[0]);
  return what.kind == Kind::global ? fmt::format("{}.{}", what.text, what.name) : std::string();
}

std::span<const PickleId> Pickle::arguments(const PickleValue& value) const {
  if (value.kind != Kind::call) return {};
  const PickleValue& tuple = at(value.items[1]);
  return tuple.kind == Kind::tuple ? std::span<const PickleId>(tuple.items)
                                   : std::span<const PickleId>();
}

const PickleValue* Pickle::find(const PickleValue& value, std::string_view key) const {
  if (value.kind == Kind::call) {
    if (value.state == no_pickle_id || at(value.state).kind != Kind::dict) return nullptr;
    return find(at(value.state), key);
  }
  if (value.kind != Kind::dict) return nullptr;
  const PickleValue* found = nullptr;
  for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
    const PickleValue& name = at(value.items[i]);
    if (name.kind == Kind::text && name.text == key) found = &at(value.items[i + 1]);
  }
  return found;
}

}  // namespace strategies::checkpoint_file
