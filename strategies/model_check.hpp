#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/map_reader.hpp"
#include "strategies/model.hpp"

/// Rules that every reader of a model shares. Not for use outside the readers.
namespace strategies {

/// Bounds far above any model that exists, low enough that no product of three overflows.
inline constexpr base::Range<std::int64_t> width_range{1, std::int64_t{1} << 22};
inline constexpr base::Range<std::int64_t> vocab_range{1, std::int64_t{1} << 26};
inline constexpr base::Range<std::int64_t> position_range{0, std::int64_t{1} << 31};
inline constexpr base::Range<std::int64_t> position_table_range{1, position_range.max};
inline constexpr base::Range<int> head_range{1, 1 << 16};
inline constexpr base::Range<int> layer_range{1, 10'000};
inline constexpr base::Range<int> expert_range{1, 1 << 16};

/// What the user calls a field of ModelSpec, and where they wrote it.
class FieldPlaces {
 public:
  explicit FieldPlaces(base::SourceRef whole) : whole_(std::move(whole)) {}
  void add(std::string field, std::string key, base::SourceRef where) {
    places_[std::move(field)] = {std::move(key), std::move(where)};
  }
  std::string name(std::string_view field) const;
  base::SourceRef at(std::string_view field) const;
  /// Copies all places to `origins` under `prefix`.
  void export_to(base::Origins& origins, const std::string& prefix) const;

 private:
  struct Place {
    std::string key;
    base::SourceRef where;
  };
  base::SourceRef whole_;
  std::map<std::string, Place, std::less<>> places_;
};

/// Fills what follows from other fields when the user left it out: kv_heads, head_dim. Reports
/// heads that do not divide the hidden width.
void derive_heads(ModelSpec& model, const FieldPlaces& places, base::Diagnostics& problems);

/// Reports values that cannot be together. Fields that were not read (0) are passed over: their
/// own mistake has been reported.
void check_model(const ModelSpec& model, const FieldPlaces& places, base::Diagnostics& problems);

}  // namespace strategies
