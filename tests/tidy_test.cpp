// Reads the source tree and checks the rules of the house that no compiler checks. Each check is
// shown to bite by a broken tree made for it; a check that found nothing to look at fails.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/catch.hpp"

namespace {

namespace fs = std::filesystem;

struct Findings {
  int looked_at = 0;
  std::vector<std::string> problems;
};

using Check = std::function<Findings(const fs::path& root)>;

/// What a module may include: whole modules, or single headers of one.
struct Arrow {
  std::string_view module;
  std::vector<std::string_view> may_include;
};

const std::vector<Arrow>& arrows() {
  static const std::vector<Arrow> table{
      {"base", {"base/"}},
      {"topology", {"topology/", "base/"}},
      {"strategies", {"strategies/", "topology/", "base/"}},
      {"calibrate", {"calibrate/", "topology/", "base/"}},
      {"sim",
       {"sim/", "strategies/", "topology/", "base/", "calibrate/profile.hpp",
        "calibrate/backend.hpp", "calibrate/harness/device.hpp", "calibrate/harness/sweep.hpp",
        "calibrate/harness/world.hpp"}},
      {"viz", {"viz/", "sim/", "strategies/", "calibrate/", "topology/", "base/"}},
      {"cli", {"cli/", "viz/", "sim/", "strategies/", "calibrate/", "topology/", "base/"}},
  };
  return table;
}

/// Who may include a foreign library, by the start of the path of the including file. Tests may
/// include any. fmt and tl-expected belong to all.
struct Owner {
  std::string_view library;
  std::vector<std::string_view> owners;
};

const std::vector<Owner>& owners() {
  static const std::vector<Owner> table{
      {"yaml-cpp/", {"base/"}},
      {"nlohmann/", {"base/", "topology/export/", "viz/", "cli/"}},
      {"boost/math/", {"calibrate/"}},
      {"boost/mpi.hpp", {"cli/crew/"}},
      {"boost/graph/", {"topology/", "sim/place/"}},
      {"boost/", {"topology/", "sim/place/"}},
      {"pugixml", {"topology/"}},
      {"re2/", {"topology/"}},
      {"coin/", {"strategies/autoshard/integer_solver_cbc.cpp"}},
      {"interfaces/highs", {"strategies/autoshard/integer_solver_highs.cpp"}},
      {"simgrid/", {"sim/engine"}},
      {"sqlite3.h", {"calibrate/"}},
      {"SQLiteCpp/", {"calibrate/"}},
      {"cuda", {"calibrate/"}},
      {"cublas", {"calibrate/"}},
      {"cudnn", {"calibrate/"}},
      {"nccl.h", {"calibrate/"}},
      {"mpi.h", {"calibrate/"}},
      {"gloo/", {"calibrate/"}},
      {"dlfcn.h", {"calibrate/shared_library.cpp", "calibrate/runtime/"}},
      {"zip.h", {"strategies/checkpoint_file/"}},
      {"zlib.h", {"viz/page.cpp", "calibrate/import/gzip.cpp"}},
      {"CLI/", {"cli/"}},
      {"arpa/", {}},
      {"netinet/", {}},
      {"catch2/", {}},
      {"benchmark/", {}},
      {"fmt/", {""}},
      {"tl/", {""}},
      {"sys/", {""}},
  };
  return table;
}

// --- reading a tree --------------------------------------------------------------------------

struct Line {
  int number = 0;
  std::string text;
};

struct SourceFile {
  std::string path;  ///< from the root, with '/'
  std::vector<Line> lines;
};

SourceFile read(const fs::path& root, const fs::path& path) {
  SourceFile file{path.lexically_relative(root).generic_string(), {}};
  std::ifstream in(path);
  for (std::string text; std::getline(in, text);)
    file.lines.push_back({static_cast<int>(file.lines.size()) + 1, text});
  return file;
}

/// Files of the modules and tests with one of these endings, sorted by path.
std::vector<SourceFile> files(const fs::path& root, const std::vector<std::string>& endings) {
  std::vector<SourceFile> found;
  std::vector<std::string> folders{"tests"};
  for (const Arrow& arrow : arrows()) folders.emplace_back(arrow.module);
  for (const std::string& folder : folders) {
    if (!fs::is_directory(root / folder)) continue;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / folder))
      if (entry.is_regular_file() &&
          std::find(endings.begin(), endings.end(), entry.path().extension()) != endings.end())
        found.push_back(read(root, entry.path()));
  }
  std::sort(found.begin(), found.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return found;
}

std::vector<SourceFile> sources(const fs::path& root) {
  return files(root, {".cpp", ".hpp", ".cu"});
}

std::string module_of(const SourceFile& file) { return file.path.substr(0, file.path.find('/')); }

struct Include {
  bool ours = false;  ///< in quotes
  std::string path;
};

std::optional<Include> include_of(const std::string& line) {
  static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)");
  std::smatch match;
  if (!std::regex_match(line, match, pattern)) return std::nullopt;
  return Include{match[1] == "\"", match[2]};
}

template <class Prefixes>
bool starts_with_any(std::string_view text, const Prefixes& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [text](std::string_view prefix) { return text.starts_with(prefix); });
}

// --- the checks ------------------------------------------------------------------------------

Findings check_arrows(const fs::path& root) {
  Findings findings;
  for (const SourceFile& file : sources(root)) {
    const auto arrow = std::find_if(arrows().begin(), arrows().end(),
                                    [&](const Arrow& a) { return a.module == module_of(file); });
    if (arrow == arrows().end()) continue;  // tests may see everything
    for (const Line& line : file.lines) {
      const std::optional<Include> include = include_of(line.text);
      if (!include || !include->ours) continue;
      ++findings.looked_at;
      if (!starts_with_any(include->path, arrow->may_include))
        findings.problems.push_back(fmt::format("{}:{}: {} may not include {}", file.path,
                                                line.number, arrow->module, include->path));
    }
  }
  return findings;
}

Findings check_owners(const fs::path& root) {
  Findings findings;
  for (const SourceFile& file : sources(root)) {
    const bool test = module_of(file) == "tests";
    for (const Line& line : file.lines) {
      const std::optional<Include> include = include_of(line.text);
      if (!include || include->ours) continue;
      ++findings.looked_at;
      const auto row = std::find_if(owners().begin(), owners().end(), [&](const Owner& o) {
        return include->path.starts_with(o.library);
      });
      if (row == owners().end()) {
        if (include->path.find('/') != std::string::npos)
          findings.problems.push_back(fmt::format("{}:{}: nobody owns {} yet (add a row to owners)",
                                                  file.path, line.number, include->path));
      } else if (!test && !starts_with_any(file.path, row->owners)) {
        findings.problems.push_back(
            fmt::format("{}:{}: {} belongs to {}", file.path, line.number, include->path,
                        row->owners.empty() ? "tests" : row->owners.front()));
      }
    }
  }
  return findings;
}

Findings check_sizes(const fs::path& root) {
  constexpr std::size_t lines_max = 500;
  constexpr std::ptrdiff_t columns_max = 100;
  Findings findings;
  for (const SourceFile& file : sources(root)) {
    ++findings.looked_at;
    if (file.lines.size() > lines_max)
      findings.problems.push_back(
          fmt::format("{}: {} lines, at most {}", file.path, file.lines.size(), lines_max));
    for (const Line& line : file.lines) {
      const auto columns = std::count_if(line.text.begin(), line.text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;  // not inside a UTF-8 sequence
      });
      if (columns > columns_max)
        findings.problems.push_back(fmt::format("{}:{}: {} columns, at most {}", file.path,
                                                line.number, columns, columns_max));
    }
  }
  return findings;
}

Findings check_pragma_once(const fs::path& root) {
  Findings findings;
  for (const SourceFile& file : files(root, {".hpp"})) {
    ++findings.looked_at;
    if (file.lines.empty() || file.lines.front().text != "#pragma once")
      findings.problems.push_back(
          fmt::format("{}:1: the first line is not #pragma once", file.path));
  }
  return findings;
}

Findings check_finished(const fs::path& root) {
  static const std::regex mark(
      "\\b(TO"
      "DO|FIX"
      "ME|X"
      "XX)\\b");
  Findings findings;
  for (const SourceFile& file : files(root, {".cpp", ".hpp", ".cu", ".txt", ".md", ".yaml"})) {
    ++findings.looked_at;
    for (const Line& line : file.lines)
      if (std::regex_search(line.text, mark))
        findings.problems.push_back(
            fmt::format("{}:{}: unfinished work is named here", file.path, line.number));
  }
  return findings;
}

/// Words of a CMakeLists.txt; none when there is no such file.
std::set<std::string> words_of(const fs::path& path) {
  std::ifstream in(path);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '(' || c == ')'; }, ' ');
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
}

/// Every .cpp is named in the CMakeLists.txt of its folder or of one above it; with or without its
/// ending, since lists of programs leave it out.
Findings check_built(const fs::path& root) {
  Findings findings;
  for (const SourceFile& file : files(root, {".cpp"})) {
    ++findings.looked_at;
    const fs::path path = root / file.path;
    bool named = false;
    for (fs::path folder = path; !named && folder != root;) {
      folder = folder.parent_path();
      const std::string name = path.lexically_relative(folder).generic_string();
      const std::set<std::string> words = words_of(folder / "CMakeLists.txt");
      named = words.contains(name) || words.contains(name.substr(0, name.size() - 4));
    }
    if (!named)
      findings.problems.push_back(fmt::format("{}: no CMakeLists.txt names it", file.path));
  }
  return findings;
}

/// Every scenario has its row in the fingerprints, which a test runs, or, with several jobs, a
/// golden answer; so has every file of plans. What scenarios are made of has folders of its own.
Findings check_scenarios(const fs::path& root) {
  constexpr std::array<std::string_view, 4> parts{"scenarios/hardware/", "scenarios/clusters/",
                                                  "scenarios/models/", "scenarios/frameworks/"};
  Findings findings;
  std::vector<std::string> rows;
  for (const Line& line : read(root, root / "tests/fingerprints.csv").lines)
    rows.push_back(line.text.substr(0, line.text.find(',')));
  if (!fs::is_directory(root / "scenarios")) return findings;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / "scenarios")) {
    const std::string path = entry.path().lexically_relative(root).generic_string();
    if (entry.path().extension() != ".yaml" || starts_with_any(path, parts)) continue;
    ++findings.looked_at;
    const std::string folder = entry.path().parent_path().filename().string();
    if (path.starts_with("scenarios/jobs/") || path.starts_with("scenarios/compare/")) {
      const std::string golden =
          fmt::format("tests/golden/{}/{}.txt", folder, entry.path().stem().string());
      if (!fs::is_regular_file(root / golden))
        findings.problems.push_back(fmt::format("{}: no {}", path, golden));
    } else if (std::find(rows.begin(), rows.end(), path) == rows.end()) {
      findings.problems.push_back(fmt::format("{}: no row in tests/fingerprints.csv", path));
    }
  }
  std::sort(findings.problems.begin(), findings.problems.end());
  return findings;
}

// --- this tree, and broken ones --------------------------------------------------------------

void check_tree(const Check& check) {
  const Findings findings = check(FORESHARD_SOURCE_DIR);
  CHECK(findings.looked_at > 0);
  for (const std::string& problem : findings.problems) FAIL_CHECK(problem);
}

/// A folder of files for one test, gone at its end.
class Tree {
 public:
  explicit Tree(const std::vector<std::pair<std::string, std::string>>& contents) {
    std::string name = (fs::temp_directory_path() / "foreshard-tidy-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    root_ = name;
    for (const auto& [path, text] : contents) {
      fs::create_directories((root_ / path).parent_path());
      std::ofstream(root_ / path) << text;
    }
  }
  ~Tree() { fs::remove_all(root_); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  const fs::path& root() const { return root_; }

 private:
  fs::path root_;
};

using Problems = std::vector<std::string>;

TEST_CASE("modules include only what lies below them") {
  check_tree(check_arrows);
  const Tree broken({{"strategies/plan.cpp",
                      "#include \"base/units.hpp\"\n\n"
                      "#include \"sim/engine.hpp\"\n"},
                     {"sim/report.cpp",
                      "#include \"calibrate/profile.hpp\"\n"
                      "#include \"calibrate/store.hpp\"\n"},
                     {"base/check.cpp", "#include \"check.hpp\"\n"},
                     {"tests/sim/x_test.cpp", "#include \"cli/forecast.hpp\"\n"}});
  const Findings findings = check_arrows(broken.root());
  CHECK(findings.looked_at == 5);
  CHECK(findings.problems ==
        Problems{"base/check.cpp:1: base may not include check.hpp",
                 "sim/report.cpp:2: sim may not include calibrate/store.hpp",
                 "strategies/plan.cpp:3: strategies may not include sim/engine.hpp"});
}

TEST_CASE("a foreign library has one owner") {
  check_tree(check_owners);
  const Tree broken(
      {{"sim/engine.cpp", "#include <simgrid/s4u.hpp>\n#include <vector>\n"},
       {"sim/report.cpp", "  #  include <simgrid/s4u.hpp> // here?\n"},
       {"topology/x.cpp", "#include <nlohmann/json.hpp>\n#include <catch2/catch.hpp>\n"},
       {"tests/viz/text_test.cpp", "#include <nlohmann/json.hpp>\n"},
       {"cli/run.cpp", "#include <spdlog/spdlog.h>\n"}});
  CHECK(check_owners(broken.root()).problems ==
        Problems{"cli/run.cpp:1: nobody owns spdlog/spdlog.h yet (add a row to owners)",
                 "sim/report.cpp:1: simgrid/s4u.hpp belongs to sim/engine",
                 "topology/x.cpp:1: nlohmann/json.hpp belongs to base/",
                 "topology/x.cpp:2: catch2/catch.hpp belongs to tests"});
}

TEST_CASE("files and lines stay short") {
  check_tree(check_sizes);
  std::string wide;
  for (int i = 0; i < 100; ++i) wide += "ä";  // 100 columns in 200 bytes
  std::string tall;
  for (int i = 0; i < 501; ++i) tall += "\n";
  const Tree broken({{"viz/text.cpp", "\n" + wide + "\n" + wide + "b\n"}, {"viz/tall.cpp", tall}});
  CHECK(
      check_sizes(broken.root()).problems ==
      Problems{"viz/tall.cpp: 501 lines, at most 500", "viz/text.cpp:3: 101 columns, at most 100"});
}

TEST_CASE("headers are guarded by their first line") {
  check_tree(check_pragma_once);
  const Tree broken({{"viz/a.hpp", "#pragma once\n"},
                     {"viz/b.hpp", "#ifndef B\n#pragma once\n"},
                     {"viz/c.hpp", ""}});
  CHECK(check_pragma_once(broken.root()).problems ==
        Problems{"viz/b.hpp:1: the first line is not #pragma once",
                 "viz/c.hpp:1: the first line is not #pragma once"});
}

TEST_CASE("nothing in the tree is marked as unfinished") {
  check_tree(check_finished);
  const std::string mark =
      "TO"
      "DO";
  const Tree broken({{"viz/a.cpp", "// " + mark + ": later\n"},
                     {"viz/README.md", mark + "ist is a word\nFIX"
                                              "ME\n"}});
  CHECK(check_finished(broken.root()).problems ==
        Problems{"viz/README.md:2: unfinished work is named here",
                 "viz/a.cpp:1: unfinished work is named here"});
}

TEST_CASE("every source file is built") {
  check_tree(check_built);
  const Tree broken(
      {{"sim/CMakeLists.txt", "foreshard_module(sim SOURCES report.cpp ring/a.cpp)\n"},
       {"sim/report.cpp", ""},
       {"sim/port.cpp", ""},
       {"sim/ring/a.cpp", ""},
       {"sim/ring/b.cpp", ""}});
  CHECK(check_built(broken.root()).problems ==
        Problems{"sim/port.cpp: no CMakeLists.txt names it",
                 "sim/ring/b.cpp: no CMakeLists.txt names it"});
}

TEST_CASE("every scenario is exercised by a test") {
  check_tree(check_scenarios);
  const Tree broken({{"scenarios/a.yaml", ""},
                     {"scenarios/more/b.yaml", ""},
                     {"scenarios/hardware/gpu.yaml", ""},
                     {"scenarios/jobs/c.yaml", ""},
                     {"scenarios/compare/d.yaml", ""},
                     {"tests/fingerprints.csv", "scenario,step_us\nscenarios/a.yaml,1\n"}});
  CHECK(check_scenarios(broken.root()).problems ==
        Problems{"scenarios/compare/d.yaml: no tests/golden/compare/d.txt",
                 "scenarios/jobs/c.yaml: no tests/golden/jobs/c.txt",
                 "scenarios/more/b.yaml: no row in tests/fingerprints.csv"});
}

TEST_CASE("a check that has nothing to look at says so") {
  const Tree empty({});
  for (const Check& check :
       {Check(check_arrows), Check(check_owners), Check(check_sizes), Check(check_pragma_once),
        Check(check_finished), Check(check_built), Check(check_scenarios)})
    CHECK(check(empty.root()).looked_at == 0);
}

}  // namespace
