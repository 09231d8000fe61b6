#include "sim/place/node_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <vector>

namespace sim::place {

namespace {

constexpr std::string_view blanks = " \t\r";

/// Cuts the next word off the front of a line, up to one of `ends`.
std::string_view word_of(std::string_view& line, std::string_view ends) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(ends));
  line.remove_prefix(word.size());
  return word;
}

class Lines {
 public:
  explicit Lines(const std::string& file) : file_(file) {}

  void read(std::string_view text) {
    for (int number = 1; !text.empty(); ++number) {
      std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      line = line.substr(0, line.find('#'));
      read_line(line, number);
    }
  }

  /// Names in rank order, one a rank.
  base::Result<std::vector<base::PlacedText>> names() {
    if (!by_rank_.empty() && !names_.empty())
      problems_.push_back(
          {names_.front().where, "a node without its rank in a rankfile", "rank 0=node slot=0"});
    for (auto& [rank, name] : by_rank_) names_.push_back(std::move(name));
    if (names_.empty()) problems_.push_back({{file_}, "no node in it", "name a node a line"});
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    return std::move(names_);
  }

 private:
  void read_line(std::string_view line, int number) {
    const std::string_view whole = line;
    const auto place = [&](std::string_view word) {
      return base::SourceRef{file_, number, static_cast<int>(word.data() - whole.data()) + 1};
    };
    const std::string_view first = word_of(line, blanks);
    if (first.empty()) return;
    if (first != "rank") {
      names_.push_back({std::string(first), place(first)});
      return;
    }
    const std::string_view digits = word_of(line, " \t\r=");
    int rank = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r="), line.size()));
    const std::string_view name = word_of(line, blanks);
    if (error != std::errc() || end != digits.data() + digits.size() || rank < 0 || name.empty())
      problems_.push_back({place(first), "this is no line of a rankfile", "rank 0=node slot=0"});
    else if (!by_rank_.emplace(rank, base::PlacedText{std::string(name), place(name)}).second)
      problems_.push_back({place(digits), fmt::format("rank {} stands twice", rank), ""});
  }

  std::string file_;
  std::vector<base::PlacedText> names_;
  std::map<int, base::PlacedText> by_rank_;
  base::Diagnostics problems_;
};

}  // namespace

base::Result<Placement> read_node_list(std::string_view text, const std::string& file,
                                       const topology::Cluster& cluster) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin != std::string_view::npos && text[begin] == '{')
    return read_placement_file(text, file, cluster);
  Lines lines(file);
  lines.read(text);
  auto names = lines.names();
  if (!names) return tl::unexpected(names.error());
  // Ranks of one node follow each other: the name of each run counts once.
  std::vector<base::PlacedText> runs;
  std::size_t shortest = names->size();
  std::size_t longest = 0;
  for (std::size_t i = 0; i < names->size();) {
    std::size_t end = i + 1;
    while (end < names->size() && (*names)[end].text == (*names)[i].text) ++end;
    shortest = std::min(shortest, end - i);
    longest = std::max(longest, end - i);
    runs.push_back((*names)[i]);
    i = end;
  }
  auto nodes = find_nodes(runs, cluster);
  if (!nodes) return tl::unexpected(nodes.error());
  if (shortest != longest)
    return tl::unexpected(
        base::Diagnostics{{{file},
                           fmt::format("nodes have {} to {} ranks", shortest, longest),
                           "write as many ranks for each node, or each node once"}});
  Placement placement{std::move(*nodes), 0};
  if (longest > 1) placement.ranks_per_node = static_cast<int>(longest);
  return placement;
}

}  // namespace sim::place
