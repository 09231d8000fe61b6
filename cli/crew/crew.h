#pragma once

#include <cstddef>
#include <cstdint>

/// How processes on many machines share a search: the C interface of a library beside the program,
/// which loads it only when it is started as one of several (foreshard_crew.so, by Boost.MPI).
/// Texts are bytes with a length.
extern "C" {

/// Takes an answer; called once for each piece, in any order.
typedef void (*foreshard_take_answer)(void* context, std::size_t piece, const char* text,
                                      std::size_t length);
/// Does a piece of work and gives its answer to `take`.
typedef void (*foreshard_do_piece)(void* context, const char* piece, std::size_t length,
                                   foreshard_take_answer take, void* taker);

struct foreshard_crew {
  /// Joins the others: which of how many this process is. NULL, or why it cannot.
  const char* (*join)(int32_t* rank, int32_t* ranks);
  /// Rank 0: has the others do all pieces. NULL, or why it cannot.
  const char* (*lead)(std::size_t pieces, const char* const* texts, const std::size_t* lengths,
                      foreshard_take_answer take, void* taker);
  /// The others: do what they are given until rank 0 leaves.
  const char* (*follow)(foreshard_do_piece work, void* context);
  /// Rank 0 sends the others home; all end their part in MPI.
  void (*leave)();
};

/// The only name of the library.
const struct foreshard_crew* foreshard_crew_table();
}
