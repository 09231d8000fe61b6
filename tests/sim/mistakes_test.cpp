#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/document.hpp"
#include "sim/scenario.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

std::string text_of(const base::Node& node, std::string_view key) {
  const base::Node* value = node.find(key);
  REQUIRE(value != nullptr);
  return value->text;
}

std::string changed(std::string text, const base::Node& changes) {
  for (const base::Node& change : changes.items) {
    if (const base::Node* all = change.find("all")) {
      text = all->text;
      continue;
    }
    const std::string from = text_of(change, "from");
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), text_of(change, "to"));
  }
  return text;
}

/// A folder of its own for one scenario; messages name files relative to it.
class Folder {
 public:
  Folder()
      : before_(std::filesystem::current_path()),
        path_(std::filesystem::temp_directory_path() /
              fmt::format("foreshard-mistakes-{}", ::getpid())) {
    std::filesystem::create_directories(path_);
    std::filesystem::current_path(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(path_);
  }

 private:
  std::filesystem::path before_;
  std::filesystem::path path_;
};

void write(const std::string& file, const std::string& text) { std::ofstream(file) << text; }

const std::string hardware = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware";

TEST_CASE("every mistake is told at its place, word for word") {
  const std::string table = std::string(FORESHARD_SOURCE_DIR) + "/tests/sim/mistakes.yaml";
  const base::Result<base::Document> document =
      base::parse_yaml(*base::read_file(table), "mistakes.yaml");
  REQUIRE(document);
  const std::string scenario = text_of(document->root, "scenario");
  const base::Node* mistakes = document->root.find("mistakes");
  REQUIRE(mistakes != nullptr);
  CHECK(mistakes->items.size() >= 60);

  const Folder folder;
  write("s.yaml", scenario);
  CHECK(load_scenario({.path = "s.yaml", .set = {}, .hardware_folder = hardware}));
  for (const base::Node& mistake : mistakes->items) {
    INFO(text_of(mistake, "name"));
    write("s.yaml", changed(scenario, *mistake.find("change")));
    if (const base::Node* dump = mistake.find("dump")) write("nodes.json", dump->text);
    const base::Result<Scenario> result =
        load_scenario({.path = "s.yaml", .set = {}, .hardware_folder = hardware});
    REQUIRE_FALSE(result);
    std::vector<std::string> told;
    for (const base::Diagnostic& one : result.error())
      if (one.severity != base::Severity::note) told.push_back(one.format());
    std::vector<std::string> wanted;
    for (const base::Node& line : mistake.find("told")->items) wanted.push_back(line.text);
    CHECK(told == wanted);
  }
}

TEST_CASE("a value set on the command line is checked like the file, under its own name") {
  const Folder folder;
  const base::Result<base::Document> document = base::parse_yaml(
      *base::read_file(std::string(FORESHARD_SOURCE_DIR) + "/tests/sim/mistakes.yaml"), "");
  write("s.yaml", text_of(document->root, "scenario"));
  const auto told = [](const char* path, const char* value) {
    const base::Result<Scenario> result =
        load_scenario({.path = "s.yaml", .set = {{path, value}}, .hardware_folder = hardware});
    return result ? std::string("no mistake") : result.error().front().format();
  };
  CHECK(told("plan.micro_batch", "2") == "no mistake");
  CHECK(told("plan.micro_batch", "three") ==
        "--set plan.micro_batch=three: error: 'micro_batch' is not a whole number: 'three'");
  CHECK(told("plan.micro_bach", "2") ==
        "--set plan.micro_bach=2: error: unknown key 'micro_bach' (did you mean 'micro_batch'?)");
}

}  // namespace
}  // namespace sim
