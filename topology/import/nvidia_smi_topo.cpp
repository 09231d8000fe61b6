#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "base/parsing.hpp"
#include "topology/import/node_inside.hpp"

namespace topology {

namespace {

using base::Severity;
using base::SourceRef;

/// How two devices meet, near to far. NODE and PHB are of one CPU, SYS is across CPUs.
constexpr std::array<std::string_view, 5> classes{"PIX", "PXB", "PHB", "NODE", "SYS"};
constexpr std::size_t across_cpus = 4;

/// No GPU has more links (NVLink 4 and 5); more in one row of the table are those of a switch.
constexpr int links_max = 18;

struct Word {
  std::string_view text;
  int column = 0;
};

struct Row {
  std::string_view device;
  std::vector<Word> cells;
  int line = 0;
};

bool is_gpu(std::string_view name) {
  return name.starts_with("GPU") && name.size() > 3 &&
         std::all_of(name.begin() + 3, name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// The text without the codes that underline the header on a terminal.
std::string without_escapes(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\x1b') {
      out += text[at];
      continue;
    }
    while (at < text.size() && text[at] != '\n' && text[at] != 'm') ++at;
    if (at < text.size() && text[at] == '\n') out += '\n';
  }
  return out;
}

std::vector<Word> words_of(std::string_view line) {
  constexpr std::string_view blank = " \t\r";
  std::vector<Word> words;
  for (std::size_t at = line.find_first_not_of(blank); at != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(blank, at), line.size());
    words.push_back({line.substr(at, end - at), static_cast<int>(at) + 1});
    at = line.find_first_not_of(blank, end);
  }
  return words;
}

class Reader {
 public:
  Reader(const DumpFile& file)
      : file_(file.name), text_(without_escapes(base::without_byte_order_mark(file.text))) {}

  base::Result<FoundCluster> read() {
    int number = 0;
    for (std::string_view rest = text_; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      take(rest.substr(0, end), ++number);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (columns_.empty() && problems_.empty())
      error({file_}, "there is no line of GPU names", "write it with: nvidia-smi topo -m");
    for (std::size_t i = rows_.size(); i < columns_.size() && problems_.empty(); ++i)
      error({file_}, fmt::format("there is no row for {}", columns_[i]),
            "the table is cut off; write it again");
    if (problems_.empty()) add_node();
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    return std::move(found_);
  }

 private:
  void error(const SourceRef& where, std::string message, std::string hint = "") {
    problems_.push_back({where, std::move(message), std::move(hint)});
  }
  void note(Severity severity, std::string message) {
    found_.notes.push_back({where_, std::move(message), "", severity});
  }

  void take(std::string_view line, int number) {
    const std::vector<Word> words = words_of(line);
    if (words.empty()) return;
    const std::string_view first = words.front().text;
    if (columns_.empty()) {
      if (is_gpu(first)) take_header(words, number);
    } else if (rows_.size() < columns_.size()) {
      take_row(words, number);
    } else if (first.ends_with(':') && words.size() == 2) {
      legend_[std::string(first.substr(0, first.size() - 1))] = words[1].text;
    }
  }

  /// Names of devices, then "CPU Affinity" and others.
  void take_header(const std::vector<Word>& words, int number) {
    where_ = {file_, number, words.front().column};
    for (const Word& word : words) {
      if (word.text == "CPU" || word.text == "NUMA") break;
      columns_.push_back(word.text);
      gpus_ += is_gpu(word.text) ? 1 : 0;
    }
    constexpr std::size_t most = 256;
    if (columns_.size() > most) {
      error(where_, fmt::format("{} devices, at most {}", columns_.size(), most));
      columns_.resize(most);
    }
  }

  void take_row(const std::vector<Word>& words, int number) {
    const std::string_view wanted = columns_[rows_.size()];
    const SourceRef where{file_, number, words.front().column};
    if (words.front().text != wanted)
      error(where,
            fmt::format("the row of {} should be here, not '{}'", wanted, words.front().text));
    else if (words.size() < columns_.size() + 1)
      error(where, fmt::format("the row of {} has {} cells, the header {}", wanted,
                               words.size() - 1, columns_.size()));
    Row row{words.front().text, {}, number};
    for (std::size_t i = 1; i < words.size() && i <= columns_.size(); ++i)
      row.cells.push_back(words[i]);
    rows_.push_back(std::move(row));
  }

  /// Links of a cell "NV18"; nothing for another one, which must be known.
  std::optional<int> links_of(const Row& row, const Word& cell) {
    int links = 0;
    const std::string_view digits = cell.text.substr(std::min<std::size_t>(2, cell.text.size()));
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), links);
    if (cell.text.starts_with("NV") && read.ec == std::errc() && links > 0 && links <= 100 &&
        read.ptr == digits.data() + digits.size())
      return links;
    if (!class_of(cell.text) && cell.text != "X" && cell.text != "N/A")
      error({file_, row.line, cell.column},
            fmt::format("'{}' is no way that two devices meet", cell.text),
            "known: X, NV1 to NV18, PIX, PXB, PHB, NODE, SYS, N/A");
    return std::nullopt;
  }

  static std::optional<std::size_t> class_of(std::string_view text) {
    const auto found = std::find(classes.begin(), classes.end(), text);
    if (found == classes.end()) return std::nullopt;
    return static_cast<std::size_t>(found - classes.begin());
  }

  void add_node() {
    FoundNode node;
    node.gpus = gpus_;
    node.where = where_;
    FoundInside inside;
    read_links(inside);
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (!is_gpu(columns_[i])) node.nics.push_back(nic_of(i));
    node.inside.push_back(inside);
    found_.nodes.push_back(std::move(node));
    found_.sources.push_back({"nvidia-smi-topo", file_,
                              fmt::format("{} GPUs, {} NICs", gpus_, columns_.size() - gpus_)});
  }

  void read_links(FoundInside& inside) {
    std::set<int> kinds;
    int most_in_row = 0;
    bool all_joined = true;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      int in_row = 0;
      for (std::size_t j = 0; j < rows_[i].cells.size(); ++j) {
        const auto links = links_of(rows_[i], rows_[i].cells[j]);
        if (links) kinds.insert(*links);
        if (links) in_row += *links;
        const bool pair = i != j && is_gpu(columns_[i]) && is_gpu(columns_[j]);
        all_joined = all_joined && (!pair || links.has_value());
      }
      most_in_row = std::max(most_in_row, in_row);
    }
    if (kinds.empty()) {
      inside.scale_up = gpus_ > 1 ? ScaleUpKind::pcie : ScaleUpKind::none;
      return;
    }
    const bool switched = kinds.size() == 1 && all_joined && most_in_row > links_max;
    inside.scale_up = switched ? ScaleUpKind::nvswitch : ScaleUpKind::mesh;
    note(
        Severity::note,
        fmt::format("GPUs have {} NVLinks{}; the rate of one depends on the GPU, which is not told",
                    switched ? *kinds.begin() : most_in_row, switched ? " into switches" : ""));
    if (!switched && (kinds.size() > 1 || !all_joined))
      note(Severity::warning,
           "pairs of GPUs have different numbers of links; it is taken as a mesh of even links");
  }

  FoundNic nic_of(std::size_t index) {
    FoundNic nic;
    nic.name = columns_[index];
    if (const auto named = legend_.find(nic.name); named != legend_.end()) nic.name = named->second;
    std::size_t best = across_cpus;
    for (std::size_t gpu = 0, column = 0; column < columns_.size(); ++column) {
      if (!is_gpu(columns_[column])) continue;
      const auto meets = class_of(rows_[index].cells[column].text);
      if (meets && *meets < best) {
        best = *meets;
        nic.gpus.clear();
      }
      if (meets && *meets == best && best < across_cpus) nic.gpus.push_back(static_cast<int>(gpu));
      ++gpu;
    }
    return nic;
  }

  std::string file_;
  std::string text_;
  SourceRef where_;
  std::vector<std::string_view> columns_;
  std::vector<Row> rows_;
  std::map<std::string, std::string_view, std::less<>> legend_;
  int gpus_ = 0;
  FoundCluster found_;
  base::Diagnostics problems_;
};

bool is_rocm_smi(std::string_view text) {
  return text.find("ROCm System Management Interface") != std::string_view::npos ||
         text.find("Weight between two GPUs") != std::string_view::npos;
}

}  // namespace

bool is_nvidia_smi_topo(std::string_view text) {
  const std::string begin = without_escapes(text.substr(0, 8192));
  if (is_rocm_smi(begin)) return true;
  // The header: a line that begins with GPU0 after blanks and names the affinity of the CPU.
  const std::size_t gpu = begin.find("GPU0");
  if (gpu == std::string::npos) return false;
  const std::string_view line =
      std::string_view(begin).substr(gpu, std::min(begin.find('\n', gpu), begin.size()) - gpu);
  return line.find("Affinity") != std::string_view::npos;
}

base::Result<FoundCluster> read_nvidia_smi_topo(std::span<const DumpFile> files,
                                                const ImportContext&) {
  const DumpFile& file = files.front();
  if (is_rocm_smi(std::string_view(file.text).substr(0, 8192)))
    return tl::unexpected(
        base::Diagnostics{{{file.name},
                           "the table of rocm-smi is not supported",
                           "dump the topology with RCCL instead: NCCL_TOPO_DUMP_FILE=FILE"}});
  return Reader(file).read();
}

}  // namespace topology
