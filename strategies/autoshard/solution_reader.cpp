#include "strategies/autoshard/solution_reader.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <utility>

#include "strategies/autoshard/solution.hpp"

namespace strategies::autoshard {

namespace {

using base::Node;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

class Reader {
 public:
  Reader(const base::Document& document, const Problem& problem, const SolutionHeader& expected)
      : document_(document), problem_(problem), expected_(expected) {}

  base::Result<std::vector<int>> read() {
    const Node& root = document_.root;
    const std::string schema = text_at(root, "schema");
    if (schema != solution_schema) {
      fail(root, "schema", fmt::format("this is no saved solution: schema '{}'", schema),
           fmt::format("expected '{}'", solution_schema));
      return tl::unexpected(std::move(problems_));
    }
    const std::string model = text_at(root, "model");
    if (model != expected_.model)
      fail(root, "model",
           fmt::format("the solution is for model '{}', not '{}'", model, expected_.model),
           "solve again for this model");
    check_mesh(root);
    const std::string micro_batches = text_at(root, "micro_batches");
    if (micro_batches != std::to_string(expected_.micro_batches))
      fail(root, "micro_batches",
           fmt::format("the solution is for steps of {} micro-batches, not {}",
                       micro_batches.empty() ? "an unknown number of" : micro_batches,
                       expected_.micro_batches),
           "give as many --micro-batches, or solve again");
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    std::vector<int> choices = read_nodes(root);
    if (problems_.empty() && price(problem_, choices).time == base::Seconds::infinity())
      fail(root, "nodes", "the layouts do not fit together", "the file was changed by hand");
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    return choices;
  }

 private:
  void fail(const Node& map, std::string_view key, std::string message, std::string hint) {
    const Node* value = map.find(key);
    problems_.push_back(
        {document_.where(value == nullptr ? map : *value), std::move(message), std::move(hint)});
  }

  static std::string text_at(const Node& map, std::string_view key) {
    const Node* value = map.find(key);
    return value == nullptr ? "" : value->text;
  }

  static std::vector<std::string> texts_at(const Node& map, std::string_view key) {
    std::vector<std::string> texts;
    if (const Node* list = map.find(key))
      for (const Node& item : list->items) texts.push_back(item.text);
    return texts;
  }

  void check_mesh(const Node& root) {
    const Node* mesh = root.find("mesh");
    const std::vector<std::string> shape =
        mesh ? texts_at(*mesh, "shape") : std::vector<std::string>{};
    std::vector<std::string> wanted;
    for (const int extent : expected_.mesh) wanted.push_back(std::to_string(extent));
    if (shape != wanted)
      fail(root, "mesh",
           fmt::format("the solution is for mesh {}, not {}", fmt::join(shape, "x"),
                       fmt::join(wanted, "x")),
           "give the mesh that it was made for, or solve again");
    const std::vector<std::string> names =
        mesh ? texts_at(*mesh, "names") : std::vector<std::string>{};
    if (names != expected_.mesh_names)
      fail(root, "mesh",
           fmt::format("the mesh dims of the solution are [{}], not [{}]", fmt::join(names, ", "),
                       fmt::join(expected_.mesh_names, ", ")),
           "give the names that it was made with");
  }

  std::vector<int> read_nodes(const Node& root) {
    std::vector<int> choices(problem_.nodes.size(), -1);
    std::map<std::string_view, std::size_t> node_of_name;
    for (std::size_t n = 0; n < problem_.nodes.size(); ++n)
      node_of_name.emplace(problem_.nodes[n].name, n);
    if (const Node* nodes = root.find("nodes")) {
      for (const Node::Entry& entry : nodes->entries) {
        const auto found = node_of_name.find(entry.key);
        if (found == node_of_name.end()) {
          problems_.push_back({{document_.where(root).file, entry.line, entry.column},
                               fmt::format("the problem has no node '{}'", entry.key),
                               "the solution is of another version of the model"});
          continue;
        }
        choices[found->second] = choice_of(entry.value, problem_.nodes[found->second]);
      }
    }
    for (std::size_t n = 0; n < choices.size(); ++n)
      if (choices[n] < 0 && problems_.empty())
        fail(root, "nodes", fmt::format("node '{}' is missing", problem_.nodes[n].name),
             "the solution is of another version of the model");
    return choices;
  }

  int choice_of(const Node& value, const ProblemNode& node) {
    const std::vector<std::string> operands = texts_at(value, "operands");
    const std::vector<std::string> results = texts_at(value, "results");
    for (std::size_t c = 0; c < node.choices.size(); ++c)
      if (texts_of(node.choices[c].operands, node.operands) == operands &&
          texts_of(node.choices[c].results, graphs_of_results(node)) == results)
        return static_cast<int>(c);
    problems_.push_back({document_.where(value),
                         fmt::format("node '{}' has no choice from [{}] to [{}]", node.name,
                                     fmt::join(operands, "; "), fmt::join(results, "; ")),
                         "the rules or sizes have changed since: solve again"});
    return -1;
  }

  std::vector<int> graphs_of_results(const ProblemNode& node) const {
    std::vector<int> graphs;
    for (const int tensor : node.results) graphs.push_back(problem_.tensors[at(tensor)].layouts);
    return graphs;
  }

  std::vector<std::string> texts_of(const std::vector<int>& layouts,
                                    const std::vector<int>& graphs) const {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < layouts.size(); ++i)
      texts.push_back(
          placement::format(problem_.layout_graphs[at(graphs[i])].layouts[at(layouts[i])]));
    return texts;
  }

  const base::Document& document_;
  const Problem& problem_;
  const SolutionHeader& expected_;
  base::Diagnostics problems_;
};

}  // namespace

std::optional<int> saved_micro_batches(const base::Document& document) {
  const Node* value = document.root.find("micro_batches");
  if (value == nullptr) return std::nullopt;
  int number = 0;
  const char* end = value->text.data() + value->text.size();
  const auto [rest, error] = std::from_chars(value->text.data(), end, number);
  if (error != std::errc{} || rest != end || number < 1) return std::nullopt;
  return number;
}

base::Result<std::vector<int>> read_solution(const base::Document& document, const Problem& problem,
                                             const SolutionHeader& expected) {
  return Reader(document, problem, expected).read();
}

}  // namespace strategies::autoshard
