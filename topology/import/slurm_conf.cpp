#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/parsing.hpp"
#include "topology/import/named_switches.hpp"
#include "topology/import/placed_hosts.hpp"
#include "topology/import/slurm.hpp"
#include "topology/import/slurm_blocks.hpp"
#include "topology/import/text_lines.hpp"

namespace topology {

namespace {

using base::PlacedText;
using base::Severity;
using base::SourceRef;

constexpr std::array<std::string_view, 11> keys{
    "switchname", "nodes",    "switches",   "linkspeed", "level",          "blockname",
    "blocksizes", "ringname", "blockindex", "blocksize", "aggregatedblock"};

/// A file with more of them is no topology.conf; it is not read to its end.
constexpr std::size_t mistakes_max = 100;

/// The pairs of one line.
struct Record {
  std::vector<std::pair<std::string, PlacedText>> pairs;

  const PlacedText* find(std::string_view key) const {
    const auto found = std::find_if(pairs.begin(), pairs.end(),
                                    [&](const auto& pair) { return pair.first == key; });
    return found == pairs.end() ? nullptr : &found->second;
  }
};

class Reader {
 public:
  explicit Reader(const DumpFile& file) : file_(file.name), text_(file.text) {}

  base::Result<FoundCluster> read() {
    if (const auto binary = base::find_binary(text_, file_))
      return tl::unexpected(base::Diagnostics{*binary});
    std::string_view rest = base::without_byte_order_mark(text_);
    while (!rest.empty() && problems_.size() < mistakes_max) {
      ++line_;
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      take(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    finish_record();
    check_kinds();
    FoundCluster found;
    if (!switches_.empty())
      hang_nodes(switches_, {"slurm level ", false}, found, problems_);
    else
      hang_blocks(blocks_, rings_ ? "ring" : "block", found, problems_);
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    found.notes.insert(found.notes.end(), notes_.begin(), notes_.end());
    found.sources.push_back({"slurm-conf", file_,
                             fmt::format("{} nodes, {} {}", found.nodes.size(),
                                         switches_.empty() ? blocks_.size() : switches_.size(),
                                         !switches_.empty() ? "switches"
                                         : rings_           ? "rings"
                                                            : "blocks")});
    return found;
  }

 private:
  void error(const SourceRef& where, std::string message, std::string hint = "") {
    problems_.push_back({where, std::move(message), std::move(hint)});
  }
  SourceRef at(std::size_t column) const { return {file_, line_, static_cast<int>(column) + 1}; }

  /// One line: up to a `#`, and without the end of the line. A record ends with a line that is not
  /// continued.
  void take(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = line.substr(0, line.find('#'));
    const bool continued = line.ends_with('\\');
    if (continued) line.remove_suffix(1);
    pairs_of(line);
    if (!continued) finish_record();
  }

  void pairs_of(std::string_view line) {
    constexpr std::string_view blank = " \t";
    std::size_t next = line.find_first_not_of(blank);
    while (next != std::string_view::npos && problems_.size() < mistakes_max) {
      const std::size_t end = std::min(line.find_first_of(blank, next), line.size());
      const std::string_view word = line.substr(next, end - next);
      const std::size_t equals = word.find('=');
      if (equals == std::string_view::npos || equals == 0 || equals + 1 == word.size()) {
        error(at(next), fmt::format("'{}' is no KEY=VALUE", word), "");
      } else {
        const std::string key = lower_case(word.substr(0, equals));
        if (std::find(keys.begin(), keys.end(), key) == keys.end())
          error(at(next), fmt::format("unknown key '{}'", word.substr(0, equals)),
                base::suggest(key, keys));
        else if (record_.find(key) != nullptr)
          error(at(next), fmt::format("'{}' is given twice in this line", word.substr(0, equals)));
        else
          record_.pairs.push_back(
              {key, {std::string(word.substr(equals + 1)), at(next + equals + 1)}});
      }
      next = line.find_first_not_of(blank, end);
    }
  }

  std::vector<PlacedText> names_of(const PlacedText* list) {
    return list == nullptr ? std::vector<PlacedText>() : hosts_.expand(*list);
  }

  void finish_record() {
    const Record record = std::exchange(record_, {});
    if (record.pairs.empty()) return;
    const PlacedText* nodes = record.find("nodes");
    const PlacedText* switches = record.find("switches");
    if (const PlacedText* name = record.find("switchname")) {
      // What scontrol prints repeats the nodes of all children.
      const bool printed = record.find("level") != nullptr;
      if (nodes != nullptr && switches != nullptr && !printed)
        error(nodes->where, fmt::format("the switch '{}' has both nodes and switches", name->text),
              "slurmctld takes only one of them: give the nodes a switch of their own");
      NamedSwitch made{*name, names_of(switches), {}};
      if (switches == nullptr) made.nodes = names_of(nodes);
      switches_.push_back(std::move(made));
    } else if (record.find("blockname") != nullptr || record.find("ringname") != nullptr) {
      const bool ring = record.find("ringname") != nullptr;
      const PlacedText& block = ring ? *record.find("ringname") : *record.find("blockname");
      if (nodes == nullptr) error(block.where, fmt::format("'{}' has no Nodes=", block.text));
      if (!blocks_.empty() && ring != rings_)
        error(block.where, "rings and blocks in one file", "slurmctld reads one kind");
      rings_ = ring;
      blocks_.push_back({block, names_of(nodes)});
    } else if (const PlacedText* sizes = record.find("blocksizes")) {
      note(sizes->where, fmt::format("BlockSizes={} is not used: it says how many blocks Slurm "
                                     "joins for a job, not how they are joined",
                                     sizes->text));
    } else if (record.find("aggregatedblock") == nullptr) {
      error(record.pairs.front().second.where, "this line names no switch and no block",
            "it must have SwitchName=, BlockName=, RingName= or BlockSizes=");
    }
  }

  void note(const SourceRef& where, std::string message) {
    notes_.push_back({where, std::move(message), "", Severity::note});
  }

  void check_kinds() {
    if (!switches_.empty() && !blocks_.empty())
      error(blocks_.front().name.where, "switches and blocks in one file",
            "slurmctld reads one kind, by its TopologyPlugin");
    if (switches_.empty() && blocks_.empty() && problems_.empty())
      error({file_}, "no switch and no block in it", "see the manual page topology.conf(5)");
  }

  std::string file_;
  std::string_view text_;
  int line_ = 0;
  Record record_;
  std::vector<NamedSwitch> switches_;
  std::vector<SlurmBlock> blocks_;
  bool rings_ = false;
  base::Diagnostics problems_;
  PlacedHosts hosts_{problems_};
  base::Diagnostics notes_;
};

}  // namespace

bool is_slurm_conf(std::string_view text) {
  text = base::without_byte_order_mark(text);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin != std::string_view::npos && line[begin] != '#') {
      const std::string key =
          lower_case(line.substr(begin, std::min(line.find('='), line.size()) - begin));
      return key == "switchname" || key == "blockname" || key == "blocksizes" || key == "ringname";
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

base::Result<FoundCluster> read_slurm_conf(std::span<const DumpFile> files, const ImportContext&) {
  return Reader(files.front()).read();
}

}  // namespace topology
