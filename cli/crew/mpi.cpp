#include <boost/mpi.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/crew/crew.h"

/// The library foreshard_crew.so: rank 0 hands pieces out one by one, the others do them. A rank
/// that does not answer any more keeps nobody waiting: when nothing is left to hand out, pieces
/// that are out are given to idle ranks as well, and the first answer counts. (That a job outlives
/// one of its processes is up to its MPI: Open MPI 4 ends them all unless it is started with
/// --enable-recovery.)
namespace {

namespace mpi = boost::mpi;

enum Tag : int { piece_tag, answer_tag, end_tag };

std::unique_ptr<mpi::environment> environment;
std::string failure;

/// Says what went wrong, for the C interface.
template <class Body>
const char* guarded(const Body& body) {
  try {
    body();
    return nullptr;
  } catch (const std::exception& error) {
    failure = error.what();
    return failure.c_str();
  }
}

/// A piece of work with the number of its round, which tells late answers from those that are
/// awaited.
struct Letter {
  std::uint64_t round = 0;
  std::uint64_t piece = 0;
  std::string text;

  template <class Archive>
  void serialize(Archive& archive, unsigned) {
    archive& round& piece& text;
  }
};

class Leader {
 public:
  Leader(const mpi::communicator& world, std::uint64_t round, std::vector<std::string> texts)
      : world_(world), round_(round), texts_(std::move(texts)), answered_(texts_.size(), false) {
    for (int rank = 1; rank < world.size(); ++rank) idle_.push_back(rank);
  }

  void run(foreshard_take_answer take, void* taker) {
    std::size_t open = texts_.size();
    while (open > 0) {
      hand_out();
      const auto arrived = world_.iprobe(mpi::any_source, answer_tag);
      if (!arrived) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        continue;
      }
      Letter letter;
      world_.recv(arrived->source(), answer_tag, letter);
      idle_.push_back(arrived->source());
      if (letter.round != round_ || answered_[letter.piece]) continue;
      answered_[letter.piece] = true;
      take(taker, letter.piece, letter.text.data(), letter.text.size());
      --open;
    }
  }

 private:
  /// New pieces first, then once more those that have been out longest.
  void hand_out() {
    while (!idle_.empty()) {
      std::optional<std::size_t> piece;
      if (next_ < texts_.size())
        piece = next_++;
      else
        while (!out_.empty() && !piece) {
          if (!answered_[out_.front()]) piece = out_.front();
          out_.pop_front();
        }
      if (!piece) return;
      out_.push_back(*piece);
      const int rank = idle_.front();
      idle_.pop_front();
      world_.send(rank, piece_tag, Letter{round_, *piece, texts_[*piece]});
    }
  }

  const mpi::communicator& world_;
  std::uint64_t round_;
  std::vector<std::string> texts_;
  std::vector<bool> answered_;
  std::size_t next_ = 0;
  std::deque<std::size_t> out_;  // pieces, in the order in which they went out last
  std::deque<int> idle_;
};

const char* join(int32_t* rank, int32_t* ranks) {
  return guarded([&] {
    environment = std::make_unique<mpi::environment>(/*abort_on_exception=*/false);
    const mpi::communicator world;
    *rank = world.rank();
    *ranks = world.size();
  });
}

const char* lead(std::size_t pieces, const char* const* texts, const std::size_t* lengths,
                 foreshard_take_answer take, void* taker) {
  return guarded([&] {
    static std::uint64_t round = 0;
    std::vector<std::string> all;
    for (std::size_t i = 0; i < pieces; ++i) all.emplace_back(texts[i], lengths[i]);
    Leader(mpi::communicator(), ++round, std::move(all)).run(take, taker);
  });
}

const char* follow(foreshard_do_piece work, void* context) {
  return guarded([&] {
    const mpi::communicator world;
    for (;;) {
      const mpi::status sent = world.probe(0, mpi::any_tag);
      if (sent.tag() == end_tag) return world.recv(0, end_tag);
      Letter letter;
      world.recv(0, piece_tag, letter);
      const auto keep = [](void* into, std::size_t, const char* text, std::size_t length) {
        static_cast<Letter*>(into)->text.assign(text, length);
      };
      const std::string piece = std::move(letter.text);
      work(context, piece.data(), piece.size(), keep, &letter);
      world.send(0, answer_tag, letter);
    }
  });
}

void leave() {
  guarded([] {
    const mpi::communicator world;
    if (world.rank() == 0)
      for (int rank = 1; rank < world.size(); ++rank) world.send(rank, end_tag);
  });
  environment.reset();
}

constexpr foreshard_crew table{join, lead, follow, leave};

}  // namespace

extern "C" __attribute__((visibility("default"))) const foreshard_crew* foreshard_crew_table() {
  return &table;
}
