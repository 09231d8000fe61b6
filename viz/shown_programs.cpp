#include "viz/shown_programs.hpp"

namespace viz {

std::vector<ShownProgram> shown_programs(const sim::StepGraph& graph) {
  std::vector<ShownProgram> shown(graph.programs.size());
  for (std::size_t rank = 0; rank < graph.program_of_rank.size(); ++rank) {
    ShownProgram& program = shown[graph.program_of_rank[rank]];
    if (program.ranks++ == 0) program.rank = static_cast<int>(rank);
    program.program = graph.program_of_rank[rank];
  }
  std::erase_if(shown, [](const ShownProgram& program) { return program.ranks == 0; });
  return shown;
}

Moved moved_by(const sim::StepGraph& graph, const sim::Task& task) {
  if (task.kind == sim::TaskKind::collective) {
    const sim::CollectiveUse& use = graph.collectives[task.index];
    return {use.name, use.bytes, use.kind};
  }
  if (task.kind == sim::TaskKind::copy) {
    const sim::HostCopy& copy = graph.copies[task.index];
    return {copy.name, copy.bytes, copy.kind};
  }
  const sim::Message& message = graph.messages[task.index];
  return {message.name, message.bytes, sim::CommKind::pipeline};
}

}  // namespace viz
