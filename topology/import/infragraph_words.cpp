#include "topology/import/infragraph_words.hpp"

#include <charconv>
#include <vector>

#include "topology/cluster_spec.hpp"

namespace topology {

namespace {

std::optional<int> number_in(std::string_view text) {
  int value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || value < 0 ||
      value >= cluster_gpus_max)
    return std::nullopt;
  return value;
}

}  // namespace

std::optional<Slice> slice_of(std::string_view text) {
  const std::size_t open = text.find('[');
  if (open == std::string_view::npos) return Slice{std::string(text)};
  if (!text.ends_with(']')) return std::nullopt;
  Slice slice{std::string(text.substr(0, open))};
  const std::string_view inside = text.substr(open + 1, text.size() - open - 2);
  const std::size_t colon = inside.find(':');
  const auto first = colon == 0 ? std::optional(0) : number_in(inside.substr(0, colon));
  if (!first) return std::nullopt;
  slice.first = *first;
  if (colon == std::string_view::npos) {
    slice.last = *first + 1;
  } else if (colon + 1 < inside.size()) {
    const auto last = number_in(inside.substr(colon + 1));
    if (!last) return std::nullopt;
    slice.last = *last;
  }
  return slice;
}

std::optional<Connection> connection_of(std::string_view text) {
  constexpr std::size_t words_wanted = 9;
  std::vector<std::string_view> words;
  for (bool more = true; more && words.size() <= words_wanted;) {
    const std::size_t dot = text.find('.');
    more = dot != std::string_view::npos;
    words.push_back(text.substr(0, dot));
    text.remove_prefix(more ? dot + 1 : text.size());
  }
  if (words.size() != words_wanted) return std::nullopt;
  const auto one = [&](std::size_t word) -> std::optional<Slice> {
    const auto number = number_in(words[word + 1]);
    if (!number) return std::nullopt;
    return Slice{std::string(words[word]), *number, *number + 1};
  };
  const auto instance = one(0);
  const auto component = one(2);
  const auto other_instance = one(5);
  const auto other_component = one(7);
  if (!instance || !component || !other_instance || !other_component) return std::nullopt;
  return Connection{std::string(words[4]),
                    {{{*instance, *component}, {*other_instance, *other_component}}}};
}

}  // namespace topology
