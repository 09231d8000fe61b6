#include "cli/crew/crew.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/check.hpp"
#include "calibrate/shared_library.hpp"
#include "cli/crew/crew.h"

namespace cli {

namespace {

namespace fs = std::filesystem;

/// How many processes a job has, as those who start them say: Open MPI, MPICH and Slurm's PMI.
int processes() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS"}) {
    const char* value = std::getenv(name);
    // A shell inside a Slurm allocation knows of tasks, but is none of them.
    if (value == nullptr || (std::string(name) == "SLURM_NTASKS" && !std::getenv("SLURM_PROCID")))
      continue;
    return std::atoi(value);
  }
  return 1;
}

const foreshard_crew& library() {
  static const foreshard_crew* table = [] {
    std::error_code failed;
    const fs::path path =
        fs::read_symlink("/proc/self/exe", failed).parent_path() / "foreshard_crew.so";
    const auto opened = calibrate::open_library(path.string());
    if (!opened)
      throw base::EnvironmentError(
          fmt::format("this is one of several processes, but {} cannot be loaded: {}",
                      path.string(), opened.error()));
    const auto function = reinterpret_cast<decltype(&foreshard_crew_table)>(
        calibrate::function_in(*opened, "foreshard_crew_table"));
    if (function == nullptr)
      throw base::EnvironmentError(fmt::format("{} is not a crew of foreshard", path.string()));
    return function();
  }();
  return *table;
}

void demand(const char* failure) {
  if (failure != nullptr) throw base::EnvironmentError(fmt::format("MPI: {}", failure));
}

}  // namespace

std::optional<CrewMember> CrewMember::join() {
  if (processes() < 2) return std::nullopt;
  int32_t rank = 0;
  int32_t ranks = 1;
  demand(library().join(&rank, &ranks));
  if (ranks < 2) return std::nullopt;
  return CrewMember(rank);
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
