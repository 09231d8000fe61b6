#pragma once

#include <map>
#include <set>
#include <vector>

#include "sim/pricer.hpp"
#include "sim/schedule/schedule.hpp"
#include "sim/stage.hpp"
#include "sim/step_graph.hpp"
#include "sim/step_memory.hpp"

namespace sim {

/// FSDP: one use of a unit by a part of a cell, in the order of a stage's program.
struct UnitUse {
  enum class Gather { nothing, all_shards, group };
  enum class Reshard { nothing, to_group, to_all };

  int chunk = 0;
  int micro_batch = 0;
  int unit = 0;
  Gather gather = Gather::nothing;     ///< before it
  Reshard reshard = Reshard::nothing;  ///< after it
};

/// What becomes of the units of a stage as its cells go through their parts (FSDP2: a unit that is
/// whole is not gathered; after its forward it is resharded as the plan has it, after its backward
/// to all its shards).
std::vector<UnitUse> unit_uses(const Stage& stage, const strategies::Plan& plan,
                               const std::vector<schedule::Cell>& cells);

/// Lays what data-parallel ranks say to each other between the computations of one stage. Called
/// in the order of the program: `begin`; for each part of each cell `before`, then one of the
/// `after`s; `finish`; `after_optimizer`.
class DataParallel {
 public:
  /// All of it must outlive this.
  DataParallel(const strategies::Plan& plan, const Stage& stage, Pricer& pricer, Program& program,
               StepMemory& memory);

  void begin(const std::vector<schedule::Cell>& cells);
  std::vector<Part> parts(const schedule::Cell& cell, bool last_backward) const;
  /// What the computation of a part has to wait for.
  std::vector<std::uint32_t> before(const schedule::Cell& cell, const Part& part);
  void after_forward(const schedule::Cell& cell, std::uint32_t task);
  void after_input_gradient(std::uint32_t task);
  /// After what makes gradients: a whole backward or its weight part.
  void after_backward(const schedule::Cell& cell, const Part& part, std::uint32_t task,
                      bool last_backward);
  /// Reduces what had to wait for `last_run`; answers what the optimizer waits for.
  std::vector<std::uint32_t> finish(std::uint32_t last_run);
  void after_optimizer(std::uint32_t task);
  /// Accounts for buffers that are held during the whole step.
  void hold_buffers();

 private:
  struct Pending {
    schedule::Cell cell;
    int bucket = 0;
  };

  std::uint32_t communicate(CommKind kind, const DataCollective& what, const schedule::Cell& cell,
                            const std::vector<std::uint32_t>& dependencies);
  std::uint32_t copy(Stream stream, const char* name, CommKind kind, base::Bytes bytes,
                     const schedule::Cell& cell, const std::vector<std::uint32_t>& dependencies);
  const Bucket& bucket(int chunk, int index) const {
    return stage_.buckets(chunk)[static_cast<std::size_t>(index)];
  }
  const FsdpUnit& unit_of(const UnitUse& use) const {
    return stage_.fsdp_units(use.chunk)[static_cast<std::size_t>(use.unit)];
  }
  /// Bytes of a whole unit, or with `in_group` of the part of it that lies on each rank of a group.
  std::int64_t unit_bytes(const UnitUse& use, bool in_group) const;

  void gather_ahead();
  std::uint32_t gather_shards(int chunk, const Bucket& bucket,
                              const std::vector<std::uint32_t>& dependencies);
  void hold_copies(const std::vector<std::uint32_t>& gathers);
  void gather_units();
  void gather_unit(std::size_t index);
  void release_unit(std::uint32_t task);
  void hold_gradients(const schedule::Cell& cell, const Part& part, std::uint32_t task, bool last);
  void reduce(const schedule::Cell& cell, int bucket, std::uint32_t after, bool last);

  const strategies::Plan& plan_;
  const Stage& stage_;
  Pricer& pricer_;
  Program& program_;
  StepMemory& memory_;
  std::vector<UnitUse> uses_;
  std::vector<std::vector<std::uint32_t>> use_gathers_;         // by use: what gathers its unit
  std::vector<std::uint32_t> use_runs_;                         // by use: its computation
  std::map<std::pair<int, int>, std::uint32_t> shard_gathers_;  // by chunk and gather bucket
  std::vector<bool> seen_forward_;                              // by chunk
  std::set<std::pair<int, int>> held_;   // chunk and bucket of whole gradients that are held
  std::vector<std::uint32_t> blocking_;  // what the next computation waits for
  std::vector<Pending> pending_;         // gradients that are complete and not yet sent
  std::vector<std::uint32_t> before_optimizer_;
};

}  // namespace sim
