#include "cli/crew/crew.hpp"

#include <fmt/format.h>

#include <string>

#include "base/check.hpp"
#include "calibrate/runtime/loader.hpp"
#include "calibrate/shared_library.hpp"
#include "cli/crew/crew.h"
#include "cli/ranks.hpp"

namespace cli {

namespace {

const foreshard_crew& library() {
  static const foreshard_crew* table = [] {
    const std::string path = calibrate::runtime::library_path("crew");
    const auto opened = calibrate::open_library(path);
    if (!opened)
      throw base::EnvironmentError(fmt::format(
          "MPI started this process, but {} cannot be loaded: {}", path, opened.error()));
    const auto function = reinterpret_cast<decltype(&foreshard_crew_table)>(
        calibrate::function_in(*opened, "foreshard_crew_table"));
    if (function == nullptr)
      throw base::EnvironmentError(fmt::format("{} is not a crew of foreshard", path));
    return function();
  }();
  return *table;
}

void demand(const char* failure) {
  if (failure != nullptr) throw base::EnvironmentError(fmt::format("MPI: {}", failure));
}

}  // namespace

std::optional<CrewMember> CrewMember::join() {
  if (!is_rank("mpi")) return std::nullopt;
  int32_t rank = 0;
  int32_t ranks = 1;
  demand(library().join(&rank, &ranks));
  const CrewMember member(rank);
  if (ranks > 1) return member;
  member.leave();
  return std::nullopt;
}

Workers CrewMember::workers() const {
  return [](const std::vector<std::string>& pieces) {
    std::vector<const char*> texts;
    std::vector<std::size_t> lengths;
    for (const std::string& piece : pieces) {
      texts.push_back(piece.data());
      lengths.push_back(piece.size());
    }
    std::vector<std::string> answers(pieces.size());
    const auto take = [](void* all, std::size_t piece, const char* text, std::size_t length) {
      (*static_cast<std::vector<std::string>*>(all))[piece].assign(text, length);
    };
    demand(library().lead(pieces.size(), texts.data(), lengths.data(), take, &answers));
    for (std::size_t i = 0; i < answers.size(); ++i)
      if (answers[i].empty())
        throw base::EnvironmentError(fmt::format("piece {} of the search has no answer", i));
    return answers;
  };
}

void CrewMember::follow(const Work& work) const {
  const auto one = [](void* context, const char* piece, std::size_t length,
                      foreshard_take_answer take, void* taker) {
    std::string answer;
    try {
      answer = (*static_cast<const Work*>(context))(std::string(piece, length));
    } catch (const std::exception& error) {
      fmt::print(stderr, "a piece of the search failed: {}\n",
                 error.what());  // answered by nothing
    }
    take(taker, 0, answer.data(), answer.size());
  };
  demand(library().follow(one, const_cast<Work*>(&work)));
}

void CrewMember::leave() const { library().leave(); }

}  // namespace cli
