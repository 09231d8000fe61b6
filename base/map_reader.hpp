#pragma once

#include <array>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/document.hpp"
#include "base/units.hpp"

namespace base {

/// Bounds of a number, both included.
template <class T>
struct Range {
  T min = std::numeric_limits<T>::lowest();
  T max = std::numeric_limits<T>::max();
};

/// A text of the user and where it stands.
struct PlacedText {
  std::string text;
  SourceRef where;
};

/// Reads one map of a document strictly. Every mistake is added to `problems` with its place and
/// reading goes on, so that the user hears of all of them at once; `finish()` refuses keys that
/// nobody asked for.
///
/// `read` leaves the value alone when the key is absent or null and answers whether it was set;
/// `require` reports an absent key.
class MapReader {
 public:
  /// `path` is the dotted name of this map, "" for the root; places are added to `origins` when
  /// it is given. A node that is no map is reported once, and then has no keys.
  MapReader(const Document& document, const Node& node, std::string path, Diagnostics& problems,
            Origins* origins = nullptr);

  bool has(std::string_view key) const;
  /// The value as it stands, marked as asked for; nullptr when absent or null.
  const Node* find(std::string_view key);

  bool read(std::string_view key, std::string& out);
  bool read(std::string_view key, bool& out);
  bool read(std::string_view key, int& out, Range<int> range = {});
  bool read(std::string_view key, std::int64_t& out, Range<std::int64_t> range = {});
  bool read(std::string_view key, double& out, Range<double> range = {});
  bool read(std::string_view key, Bytes& out);
  bool read(std::string_view key, BytesPerSecond& out);
  bool read(std::string_view key, Seconds& out);
  bool read(std::string_view key, FlopPerSecond& out);
  bool read(std::string_view key, std::vector<std::string>& out);
  bool read(std::string_view key, std::vector<double>& out);
  /// A single text stands for a list of one.
  bool read(std::string_view key, std::vector<PlacedText>& out);

  /// One of a table of names.
  template <class E, std::size_t N>
  bool read_choice(std::string_view key, E& out,
                   const std::array<std::pair<std::string_view, E>, N>& names) {
    std::array<std::string_view, N> words{};
    for (std::size_t i = 0; i < N; ++i) words[i] = names[i].first;
    const std::optional<std::size_t> index = choice(key, words);
    if (index) out = names[*index].second;
    return index.has_value();
  }

  template <class... Args>
  bool require(std::string_view key, Args&&... args) {
    return present(key) && read(key, std::forward<Args>(args)...);
  }
  template <class E, std::size_t N>
  bool require_choice(std::string_view key, E& out,
                      const std::array<std::pair<std::string_view, E>, N>& names) {
    return present(key) && read_choice(key, out, names);
  }

  /// Reader of the map under `key`; nothing when the key is absent, or holds no map and is told so.
  std::optional<MapReader> map(std::string_view key);
  /// As `map`, but an absent key is a mistake.
  std::optional<MapReader> required_map(std::string_view key);
  /// Readers of the maps in the list under `key`; reports a value that is no list.
  std::vector<MapReader> maps(std::string_view key);

  /// Reports every key that was not asked for, with the nearest one that was.
  void finish();

  /// Reports a mistake at the value of `key` (at this map when it is absent).
  void error(std::string_view key, std::string message, std::string hint = {});
  void warning(std::string_view key, std::string message, std::string hint = {});
  SourceRef where() const;
  SourceRef where(std::string_view key) const;
  const std::string& path() const { return path_; }
  std::vector<std::string_view> keys() const;

 private:
  const Node* scalar(std::string_view key, std::string_view wanted);
  bool present(std::string_view key);
  std::optional<std::size_t> choice(std::string_view key, std::span<const std::string_view> words);
  std::string path_of(std::string_view key) const;
  template <class T, class Parse>
  bool read_quantity(std::string_view key, T& out, Parse parse);

  const Document* document_;
  const Node* node_;
  std::string path_;
  Diagnostics* problems_;
  Origins* origins_;
  std::vector<std::string> asked_;
};

}  // namespace base
