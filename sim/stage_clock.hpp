#pragma once

#include <array>
#include <functional>
#include <map>
#include <tuple>
#include <vector>

#include "sim/data_parallel_clock.hpp"
#include "sim/gradient_exchange.hpp"
#include "sim/optimizer_step.hpp"
#include "sim/schedule/schedule.hpp"
#include "sim/stage.hpp"
#include "strategies/shard.hpp"

namespace sim {

/// Work on one micro-batch, in seconds.
struct WorkCost {
  double time = 0;  ///< kernels and what of their collectives they do not hide
  double busy = 0;  ///< the same by the first group's prices, which the host is compared with
  int operators = 0;
};

/// A computation cannot be faster than its host.
double with_host(const strategies::Plan& plan, const WorkCost& cost);

/// A model cut in one way; its blocks are priced for the kinds of cells that occur.
struct Cut {
  strategies::ShardedGraph sharded;
  std::array<std::vector<WorkCost>, strategies::cell_kind_count> blocks;  ///< by kind of cell
};

/// Of the units of a cell.
double time_of_units(const strategies::Plan& plan, const Cut& cut, const Stage& stage,
                     const schedule::Cell& cell, Range units);

/// When the input of each cell is there, below 0 while that is not known: by [forward][virtual
/// stage of the receiver][micro-batch].
using Arrivals = std::array<std::vector<std::vector<double>>, 2>;

/// Goes through the cells of one stage as far as messages allow: what build_step lays out, as times
/// in seconds. First `advance` until it is done, then what it exchanges, then `finish`.
class StageClock {
 public:
  /// What a stage asks of the prices.
  struct Prices {
    std::function<double(const strategies::Communication&)> collective;
    std::function<double(const std::vector<strategies::Work>&)> work;  ///< with the host's waits
    std::function<double(base::Bytes, int to)> message;                ///< to a stage
    std::function<double(const UpdateLink&)> update;
    std::function<double(base::Bytes)> host_copy;
  };

  /// All of it must outlive this.
  StageClock(const strategies::Plan& plan, const Cut& cut, const strategies::PipelineShape& shape,
             const std::vector<strategies::Chunk>& chunks, int index,
             const std::vector<schedule::Cell>& cells, Prices prices);

  bool done() const { return next_ == cells_.size(); }
  /// Whether it got on.
  bool advance(Arrivals& arrivals);

  const Stage& holds() const { return stage_; }
  /// Sends reduced gradients that another stage adds to its own; when they have arrived there.
  double send_gradients(const GradientExchange& exchange);
  void receive_gradients(double arrival);
  /// The links that end the step, once all gradients are complete.
  void begin_update();
  const std::vector<UpdateLink>& update_links() const { return links_; }
  /// When it is through with all links so far.
  double updated() const { return compute_; }
  /// The next link, not before others are there who take part.
  void update(const UpdateLink& link, double others);
  /// What comes after the optimizer; when the stage is through.
  double finish();

 private:
  struct TimedPart {
    Part part;
    double time = 0;
  };
  using TimedParts = std::vector<TimedPart>;

  /// Where cells of a chunk send to, unless that is an end of the model or this very rank.
  struct Hop {
    int stage = -1;  // -1: nowhere
    int virtual_stage = 0;
  };
  struct Hops {
    int virtual_stage = 0;
    std::array<Hop, 2> to;  // by forward
  };

  Hop hop(strategies::Place here, bool forward) const;
  double arrival(const Arrivals& arrivals, const schedule::Cell& cell) const;
  double receive(const Arrivals& arrivals, const schedule::Cell& cell);
  void send(Arrivals& arrivals, const schedule::Cell& cell);
  void finish_gradients();
  const TimedParts& parts(std::size_t index);
  bool is_last_backward(std::size_t index) const;
  bool in_one_piece(std::size_t index);
  void run(double time, double ready);
  void forward(std::size_t index, double ready);
  void backward(std::size_t index, double ready);
  void after_backward(std::size_t index, const Part& part);
  void overlapped_cells(std::size_t first, double ready);

  const strategies::Plan& plan_;
  const Cut& cut_;
  const strategies::PipelineShape& shape_;
  Stage stage_;
  int index_;
  const std::vector<schedule::Cell>& cells_;
  Prices prices_;
  DataParallelClock data_;
  std::vector<int> last_backward_;  // by chunk: its last cell that makes gradients
  std::vector<bool> seen_forward_;
  std::vector<Hops> hops_;  // by chunk
  // By chunk, kind of cell, and whether it is cut for what is gathered or reduced beside it.
  std::vector<std::array<TimedParts, 2 * strategies::cell_kind_count>> parts_;
  // By kind of the backward, chunk of the forward, of the backward.
  std::map<std::tuple<strategies::CellKind, int, int>, double> overlapped_times_;
  std::vector<UpdateLink> links_;
  std::size_t next_ = 0;
  // When each stream is free.
  double compute_ = 0;
  double send_ = 0;
  double received_ = 0;
  double blocked_ = 0;    // a send that the next computation waits for
  double waits_ = 0;      // what the next computation needs of the host behind a message
  double gathers_ = 0;    // and of the other tensor ranks
  double reduced_ = -1;   // data-parallel reductions over; below 0: not known
  double exchanged_ = 0;  // gradients added up with those of another stage
};

}  // namespace sim
