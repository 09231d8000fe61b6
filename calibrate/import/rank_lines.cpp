#include "calibrate/import/rank_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

namespace calibrate {

namespace {

/// Reads a line from its front: each step fails when something else stands there.
class Front {
 public:
  explicit Front(std::string_view text) : text_(text) {}

  bool word(std::string_view wanted) {
    skip();
    if (!text_.starts_with(wanted)) return false;
    text_.remove_prefix(wanted.size());
    return true;
  }
  bool number(int& out) {
    skip();
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), out);
    if (error != std::errc()) return false;
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return true;
  }
  /// Up to `end`, which is passed over.
  bool until(std::string_view end, std::string& out) {
    skip();
    const std::size_t at = text_.find(end);
    if (at == std::string_view::npos) return false;
    out = text_.substr(0, at);
    text_.remove_prefix(at + end.size());
    return true;
  }
  std::string rest() {
    skip();
    while (!text_.empty() && (text_.back() == ' ' || text_.back() == '\r')) text_.remove_suffix(1);
    return std::string(text_);
  }

 private:
  void skip() {
    while (text_.starts_with(' ') || text_.starts_with('\t')) text_.remove_prefix(1);
  }
  std::string_view text_;
};

}  // namespace

std::optional<RankLine> read_rank_line(std::string_view line) {
  Front front(line);
  RankLine out;
  if (!front.word("#") || !front.word("Rank") || !front.number(out.rank) || out.rank < 0)
    return std::nullopt;
  if (front.word("Group") && !front.number(out.group)) return std::nullopt;
  if (!front.word("Pid") || !front.number(out.pid) || !front.word("on") ||
      !front.until(" device ", out.host) || !front.number(out.index) || !front.word("[") ||
      !front.until("]", out.identity))
    return std::nullopt;
  while (out.host.ends_with(' ')) out.host.pop_back();
  out.device = front.rest();
  return out;
}

Placement placement_of(const std::vector<RankLine>& ranks) {
  Placement place{0, 0, 0};
  if (ranks.empty()) return place;
  std::set<int> groups;
  std::map<std::string_view, int> per_host;
  std::map<std::pair<std::string_view, std::string_view>, int> per_device;
  std::vector<int> members;
  for (const RankLine& line : ranks) {
    groups.insert(line.group);
    if (line.group != ranks.front().group) continue;
    members.push_back(line.rank);
    ++per_host[line.host];
    ++per_device[{line.host, line.identity}];
  }
  const auto most = [](const auto& counts) {
    int count = 0;
    for (const auto& [key, value] : counts) count = std::max(count, value);
    return count;
  };
  place.ranks = static_cast<int>(members.size());
  place.nodes = static_cast<int>(per_host.size());
  place.ranks_per_node = most(per_host);
  place.ranks_per_device = most(per_device);
  place.groups = static_cast<int>(groups.size());
  if (members.size() > 1) place.stride = std::max(1, members[1] - members[0]);
  return place;
}

void describe(const std::vector<RankLine>& ranks, Run& run) {
  if (!ranks.empty()) run.machine.host = ranks.front().host;
  for (const RankLine& line : ranks) run.devices.push_back({line.device, line.identity, {}});
}

std::string common_device(const std::vector<RankLine>& ranks) {
  if (ranks.empty()) return "";
  const bool same = std::all_of(ranks.begin(), ranks.end(), [&](const RankLine& line) {
    return line.device == ranks.front().device;
  });
  return same ? ranks.front().device : "";
}

std::string version_of_code(std::int64_t code) {
  if (code < 1000 || code > 999'999) return "";
  // NCCL counted in thousands before 2.9.
  const std::int64_t unit = code < 10'000 ? 1000 : 10'000;
  return fmt::format("{}.{}.{}", code / unit, code % unit / 100, code % 100);
}

std::int64_t code_of_version(std::string_view version) {
  int major = 0;
  int minor = 0;
  int patch = 0;
  Front front(version);
  if (!front.number(major) || !front.word(".") || !front.number(minor) || !front.word(".") ||
      !front.number(patch) || major < 1 || minor < 0 || minor > 99 || patch < 0 || patch > 99 ||
      major > 99)
    return 0;
  return major == 2 && minor < 9 ? major * 1000 + minor * 100 + patch
                                 : major * 10'000 + minor * 100 + patch;
}

}  // namespace calibrate
