/* A ring all-reduce as a program of messages: n - 1 steps of reduce-scatter and n - 1 of all-gather,
   each passing 1/n of the buffer to the next rank. SMPI plays it message by message; nothing is
   added up, for only the time counts.

     ring_all_reduce BYTES GROUPS

   The ranks form GROUPS rings, rank r in ring r modulo GROUPS, all at once. Prints the seconds that
   the slowest rank took. */
#include <mpi.h>
#include <smpi/smpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm ring;
  MPI_Comm_split(MPI_COMM_WORLD, rank % atoi(argv[2]), rank, &ring);
  int place;
  int size;
  MPI_Comm_rank(ring, &place);
  MPI_Comm_size(ring, &size);
  const int block = (int)(atoll(argv[1]) / size);
  void* const out = SMPI_SHARED_MALLOC(block);
  void* const in = SMPI_SHARED_MALLOC(block);
  MPI_Barrier(MPI_COMM_WORLD);
  const double start = MPI_Wtime();
  for (int step = 0; step < 2 * (size - 1); ++step)
    MPI_Sendrecv(out, block, MPI_BYTE, (place + 1) % size, 0, in, block, MPI_BYTE,
                 (place + size - 1) % size, 0, ring, MPI_STATUS_IGNORE);
  double took = MPI_Wtime() - start;
  double longest;
  MPI_Reduce(&took, &longest, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
  if (rank == 0) printf("%.9f\n", longest);
  SMPI_SHARED_FREE(out);
  SMPI_SHARED_FREE(in);
  MPI_Finalize();
  return 0;
}
