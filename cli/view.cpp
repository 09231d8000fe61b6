#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/document.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/value_or_leave.hpp"
#include "viz/page.hpp"

namespace cli {

namespace {

struct ViewOptions {
  std::vector<std::string> files;
  std::string html;  ///< beside the first file when empty
};

/// Why this is no answer of ours; empty when it is one.
base::Diagnostics strange(const base::Document& document) {
  const base::Node* schema = document.root.find("schema");
  if (schema != nullptr && schema->text.starts_with("foreshard.")) return {};
  return {{document.where(document.root),
           "no answer of foreshard: there is no 'schema: foreshard.…'",
           "take what --json of a command wrote"}};
}

std::string page_path(const ViewOptions& options) {
  if (!options.html.empty()) return options.html;
  std::filesystem::path path(options.files.front());
  return path.replace_extension(".html").string();
}

void view(const ViewOptions& options) {
  std::vector<std::string> documents;
  base::Diagnostics problems;
  for (const std::string& file : options.files) {
    std::string text = value_or_leave(base::read_file(file));
    const auto document = base::parse_json(text, file);
    const base::Diagnostics found = document ? strange(*document) : document.error();
    problems.insert(problems.end(), found.begin(), found.end());
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    documents.push_back(text.starts_with(byte_order_mark) ? text.substr(byte_order_mark.size())
                                                          : std::move(text));
  }
  const std::string path = page_path(options);
  if (options.html.empty() && path == options.files.front())
    problems.push_back({{path},
                        "the page would take the place of what it shows",
                        "name another file with --html"});
  if (!problems.empty()) {
    print(problems);
    leave_with(mistake);
  }
  write_output(path, viz::page(documents));
  write_output("-", path + "\n");
}

}  // namespace

void setup_view(CLI::App& app) {
  CLI::App* command = app.add_subcommand("view", "make a page of answers in JSON, to look at");
  const auto options = std::make_shared<ViewOptions>();
  command->add_option("FILE", options->files, "what --json wrote; several go into one page")
      ->type_name("FILE...")
      ->required();
  command->add_option("--html", options->html, "the page; by default beside the first file")
      ->type_name("FILE")
      ->check(CLI::Validator(check_file_path, ""));
  command->callback([options] { view(*options); });
}

}  // namespace cli
