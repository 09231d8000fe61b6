#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"

/// Pickles (protocols 0 to 5) as data. A pickle is a program for a stack machine; this one builds a
/// graph of what the program says and calls nothing: a function and its arguments stay a `call`.
namespace strategies::checkpoint_file {

/// Index of a value in its pickle.
using PickleId = std::uint32_t;
inline constexpr PickleId no_pickle_id = std::numeric_limits<PickleId>::max();

struct PickleValue {
  enum class Kind : std::uint8_t {
    none,
    boolean,
    integer,
    large_integer,  ///< beyond 64 bits
    real,           ///< a floating-point number, which nobody asks for
    text,
    bytes,
    tuple,
    list,
    dict,
    set,
    global,      ///< a class or function: module `text`, name `name`
    call,        ///< items: what, its arguments, then entries that were put into the result
    persistent,  ///< something outside the pickle, named by items[0]
  };

  Kind kind = Kind::none;
  std::int64_t integer = 0;
  std::string_view text;  ///< in the bytes that were read
  std::string_view name;
  /// Elements; of a dict keys and values in turn. Entries of a call, too: key and value, a key of
  /// no_pickle_id where it was appended.
  std::vector<PickleId> items;
  PickleId state = no_pickle_id;  ///< attributes that were set
};

struct Pickle {
  std::vector<PickleValue> values;
  PickleId root = 0;
  std::size_t size = 0;  ///< bytes from PROTO to STOP

  const PickleValue& at(PickleId id) const { return values[id]; }
  const PickleValue& root_value() const { return values[root]; }
  /// Of a `call` of this function or class.
  bool is_call(const PickleValue& value, std::string_view module, std::string_view name) const;
  /// "torch._utils._rebuild_tensor_v2" of a call; empty when it is called otherwise.
  std::string callee(const PickleValue& value) const;
  /// Arguments of a call; empty when they are no tuple.
  std::span<const PickleId> arguments(const PickleValue& value) const;
  /// The value of a dict, or of the attributes of a call, under a text; nullptr when absent. Of
  /// several the last, as Python has it.
  const PickleValue* find(const PickleValue& value, std::string_view key) const;
};

/// Reads the pickle at the beginning of `bytes`, which must outlive it. Opcodes of extensions and
/// out-of-band buffers are refused.
base::Result<Pickle> read_pickle(std::string_view bytes, const std::string& file);

/// Most values of one pickle.
inline constexpr std::size_t pickle_values_max = 8'000'000;

}  // namespace strategies::checkpoint_file
