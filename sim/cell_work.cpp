#include "sim/cell_work.hpp"

#include <algorithm>
#include <cstdint>

#include "base/check.hpp"

namespace sim {

using strategies::CellKind;
using strategies::Work;

const std::vector<Work>& work_of(const strategies::ShardedBlock& block, CellKind kind) {
  switch (kind) {
    case CellKind::forward: return block.forward;
    case CellKind::backward: return block.backward;
    case CellKind::backward_input: return block.backward_input;
    case CellKind::backward_weight: return block.backward_weight;
  }
  CHECK_INVARIANT(false);
  return block.forward;
}

std::vector<Work> cell_work(const Stage& stage, const strategies::Cell& cell, Range range) {
  std::vector<Work> all;
  for (int i = range.first; i < range.end; ++i) {
    const int unit = cell.forward() ? i : range.end - 1 - (i - range.first);
    const std::vector<Work>& of_unit = work_of(stage.block(cell.chunk, unit), cell.kind);
    all.insert(all.end(), of_unit.begin(), of_unit.end());
  }
  return all;
}

namespace {

bool only_communicates(const Work& work) { return work.kernels.empty() && work.communication; }
bool only_computes(const Work& work) { return !work.kernels.empty() && !work.communication; }

/// Adds the kernels of `kernels`, and beside them what communicates of `communications`.
void hide(const std::vector<Work>& communications, const std::vector<Work>& kernels,
          std::vector<Work>& out) {
  std::vector<const Work*> messages;
  for (const Work& work : communications)
    if (only_communicates(work)) messages.push_back(&work);
  std::vector<const Work*> computes;
  for (const Work& work : kernels)
    if (only_computes(work)) computes.push_back(&work);
  const std::size_t shares = std::min(messages.size(), computes.size());
  std::size_t next = 0;          // of `messages`
  std::size_t seen = 0;          // of `computes`
  std::size_t share_end = 0;     // where the share that was begun last ends
  std::size_t share = SIZE_MAX;  // its place in `out`
  for (const Work& work : kernels) {
    if (only_communicates(work)) continue;
    out.push_back(work);
    if (!only_computes(work)) continue;
    const bool begins = next < shares && seen == share_end;
    const bool joins =
        !begins && seen < share_end && share + 2 == out.size() && out[share].phase == work.phase;
    ++seen;
    if (begins) {
      share = out.size() - 1;
      out[share].communication = messages[next]->communication;
      out[share].label += ", " + messages[next]->label;
      share_end = ++next * computes.size() / shares;
    } else if (joins) {
      out.pop_back();
      out[share].kernels.insert(out[share].kernels.end(), work.kernels.begin(), work.kernels.end());
      ++out[share].operators;
    }
  }
  for (; next < messages.size(); ++next) out.push_back(*messages[next]);
}

}  // namespace

std::vector<Work> overlapped(const std::vector<Work>& forward, const std::vector<Work>& backward) {
  std::vector<Work> out;
  hide(backward, forward, out);
  hide(forward, backward, out);
  return out;
}

}  // namespace sim
