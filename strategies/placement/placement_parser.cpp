#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "strategies/placement/placement.hpp"

namespace strategies::placement {

namespace {

constexpr std::string_view forms =
    "placements are R, S(dim), P(sum), Strided(dim; factor), Interleaved(dim; groups), "
    "Ragged(dims; units)";

/// A recursive descent over the text; the first mistake ends it.
class Parser {
 public:
  Parser(std::string_view text, base::SourceRef where) : text_(text), where_(std::move(where)) {}

  base::Result<Layout> parse() {
    Layout layout;
    skip_spaces();
    while (at_ < text_.size() && problems_.empty()) {
      if (!layout.placements.empty() && accept(',') && at_ == text_.size())
        fail("a placement is missing after ','", std::string(forms));
      if (!problems_.empty()) break;
      const std::size_t begin = at_;
      const Placement placement = parse_placement();
      if (!problems_.empty()) break;
      layout.placements.push_back(placement);
      parse_turn(placement, static_cast<int>(layout.placements.size()) - 1, begin);
    }
    if (problems_.empty() && layout.placements.empty()) fail("no placement", std::string(forms));
    if (problems_.empty()) set_order(layout);
    if (!problems_.empty()) return tl::unexpected(problems_);
    return layout;
  }

 private:
  void fail(std::string message, std::string hint) {
    if (!problems_.empty()) return;
    problems_.push_back({where_, fmt::format("{} (character {} of '{}')", message, at_ + 1, text_),
                         std::move(hint)});
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }

  bool accept(char wanted) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    skip_spaces();
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) fail(fmt::format("'{}' is missing", wanted), std::string(forms));
  }

  std::string_view word() {
    const std::size_t begin = at_;
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    while (at_ < text_.size() && letter(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  template <class T>
  T number(std::string_view what) {
    T value = 0;
    const char* end = text_.data() + text_.size();
    const auto [stopped, error] = std::from_chars(text_.data() + at_, end, value);
    if (error != std::errc{} || text_[at_] == '-') {
      fail(fmt::format("{} is no whole number from 0", what), "dims count from 0, units too");
      return 0;
    }
    at_ += static_cast<std::size_t>(stopped - (text_.data() + at_));
    skip_spaces();
    return value;
  }

  template <class T>
  std::vector<T> numbers(std::string_view what) {
    std::vector<T> values{number<T>(what)};
    while (problems_.empty() && accept(',')) values.push_back(number<T>(what));
    return values;
  }

  Placement parse_placement() {
    const std::string_view name = word();
    if (name == "R") return Replicate{};
    if (name == "S") return parse_shard();
    if (name == "P") return parse_partial();
    if (name == "Ragged") return parse_ragged();
    if (name == "Strided" || name == "Interleaved") {
      expect('(');
      const int dim = number<int>("the tensor dim");
      expect(';');
      const auto parts =
          number<std::int64_t>(name == "Strided" ? "the split factor" : "the groups");
      expect(')');
      if (name == "Strided") return StridedShard{dim, parts};
      return InterleavedShard{dim, parts};
    }
    at_ -= name.size();
    fail(name.empty() ? "no placement begins here" : fmt::format("unknown placement '{}'", name),
         std::string(forms));
    return Replicate{};
  }

  Placement parse_shard() {
    expect('(');
    const int dim = number<int>("the tensor dim");
    expect(')');
    return Shard{dim};
  }

  Placement parse_partial() {
    if (!accept('(')) return Partial{};
    const std::string_view name = word();
    const auto* known = std::find_if(reduction_names.begin(), reduction_names.end(),
                                     [&](const auto& entry) { return entry.first == name; });
    if (known == reduction_names.end()) {
      std::vector<std::string_view> names;
      for (const auto& entry : reduction_names) names.push_back(entry.first);
      at_ -= name.size();
      fail(fmt::format("unknown reduction '{}'", name), base::suggest(name, names));
      return Partial{};
    }
    expect(')');
    return Partial{known->second};
  }

  Placement parse_ragged() {
    RaggedShard ragged;
    expect('(');
    if (!accept(';')) {
      ragged.dims = numbers<int>("a tensor dim");
      expect(';');
    }
    if (problems_.empty()) ragged.units = numbers<std::int64_t>("a unit");
    expect(')');
    return ragged;
  }

  void parse_turn(const Placement& placement, int mesh_dim, std::size_t begin) {
    const bool shards = sharded_dim(placement).has_value();
    const bool bracket = accept('[');
    if (bracket && !shards) {
      at_ = begin;
      fail(fmt::format("{} takes no turn", format(placement)), "only shards have a shard order");
    }
    if (shards) sharing_[*sharded_dim(placement)].push_back({mesh_dim, bracket, 0});
    if (!bracket || !shards) return;
    sharing_[*sharded_dim(placement)].back().turn = number<int>("the turn");
    expect(']');
  }

  /// Lets the shards of each tensor dim take the places that their mesh dims have in 0, 1, ...
  void set_order(Layout& layout) {
    std::vector<int> order = shard_order(layout);
    for (const auto& [dim, turns] : sharing_) {
      const auto with_bracket =
          std::count_if(turns.begin(), turns.end(), [](const Turn& t) { return t.bracket; });
      if (with_bracket == 0) continue;
      std::vector<bool> taken(turns.size(), false);
      for (const Turn& turn : turns) {
        const auto place = static_cast<std::size_t>(turn.turn);
        if (!turn.bracket || place >= turns.size() || taken[place])
          return fail(fmt::format("the turns of tensor dim {} are not 0 to {}, once each", dim,
                                  turns.size() - 1),
                      "give every shard of a tensor dim its turn, or none");
        taken[place] = true;
        order[static_cast<std::size_t>(turns[place].mesh_dim)] = turn.mesh_dim;
      }
    }
    if (order != shard_order(layout)) layout.order = std::move(order);
  }

  struct Turn {
    int mesh_dim = 0;
    bool bracket = false;
    int turn = 0;
  };

  std::string_view text_;
  base::SourceRef where_;
  std::size_t at_ = 0;
  base::Diagnostics problems_;
  std::map<int, std::vector<Turn>> sharing_;  ///< by tensor dim, in order of mesh dims
};

}  // namespace

base::Result<Layout> parse_layout(std::string_view text, const base::SourceRef& where) {
  return Parser(text, where).parse();
}

}  // namespace strategies::placement
