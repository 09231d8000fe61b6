/* The C interface of a runtime that executes: kernels on a device, collectives between ranks.
 *
 * A runtime named NAME (small letters, digits, '_') is a shared library "foreshard_NAME.so" beside
 * the program, or where the environment variable FORESHARD_RUNTIME_<NAME in capitals>_LIB says,
 * that exports one or both of
 *
 *     const struct foreshard_compute* foreshard_compute_NAME(void);
 *     const struct foreshard_network* foreshard_network_NAME(void);
 *
 * so that the program itself links neither CUDA nor MPI, starts at once, and one build serves
 * machines with and without them. Functions that can fail answer 0 when done and something else
 * when not; what went wrong then is `error`. Nothing may be thrown across this interface.
 *
 * A backend that prices collectives (calibrate/backends/plugin.h) may be in the same library: then
 * FORESHARD_BACKEND_<NAME in capitals>_LIB is enough, and what was measured goes before its prices
 * if the last word of the first `software` of its network is NAME, in capitals or not.
 *
 * This file needs nothing but a C99 or C++ compiler.
 */
#ifndef FORESHARD_RUNTIME_H
#define FORESHARD_RUNTIME_H

#include <stdint.h>

/* What `version` has to return, letter by letter. */
#define FORESHARD_RUNTIME_ABI "1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* One library that a runtime stands on. */
struct foreshard_software {
  char name[32];
  char version[96];
};

struct foreshard_device_info {
  char name[128];    /* as the driver prints it */
  char identity[64]; /* UUID or PCI address */
  int64_t memory;    /* bytes */
  int32_t host;      /* 1: its memory is the host's, and `launch` returns when the work is done */
  int32_t reserved;
};

/* The state of a device while it works; 0 where it cannot be read. */
struct foreshard_sensors {
  double clock_mhz;
  double power_w;
  double temperature_c;
  int32_t throttled; /* 1: slowed down by heat or a power limit other than the usual one */
  int32_t reserved;
};

/* A kernel by its shape. The operands are the runtime's own, synthetic, in memory that no other
 * work has; it moves through more of it than caches hold where it is launched again and again.
 * `kind` is one of kernel_kinds in calibrate/records.hpp. */
struct foreshard_kernel {
  const char* kind;
  const char* dtype;  /* fp32, tf32, fp16, bf16, fp8 */
  const char* output; /* of a gemm */
  /* gemm: C[m,n] = A[m,k] B[k,n], `batch` times in one launch; `adds`: to what is in C */
  int64_t m, n, k, batch;
  int32_t adds;
  /* attention */
  int32_t causal, backward, flash;
  int64_t sequences, seq_q, seq_kv, q_heads, kv_heads, head_dim, value_dim, window;
  /* the others: a matrix of `rows` x `columns`; `bytes` is the least traffic, read and written */
  int64_t rows, columns, bytes;
};

/* Kernels on one device, which a calling thread has to itself. */
struct foreshard_compute {
  const char* (*version)(void);
  int32_t (*devices)(void);      /* how many there are; 0: none works, see error(NULL) */
  void* (*open)(int32_t device); /* a device; NULL when it cannot */
  void (*close)(void* device);
  const char* (*error)(void* device); /* the last one, for people; NULL: of `open` */
  int32_t (*info)(void* device, struct foreshard_device_info* info);
  int32_t (*software)(void* device, int32_t index, struct foreshard_software* software);
  int32_t (*sensors)(void* device, struct foreshard_sensors* sensors);

  void* (*allocate)(void* device, int64_t bytes); /* NULL: not so much */
  void (*release)(void* device, void* memory);
  int32_t (*to_device)(void* device, void* memory, const void* host, int64_t bytes);
  int32_t (*to_host)(void* device, void* host, const void* memory, int64_t bytes);

  /* Streams: work of one runs one after the other. Host devices have none: NULL is passed. */
  void* (*create_stream)(void* device);
  void (*destroy_stream)(void* device, void* stream);
  int32_t (*synchronise)(void* device, void* stream); /* the host waits */
  void* (*create_event)(void* device);
  void (*destroy_event)(void* device, void* event);
  int32_t (*record)(void* device, void* event, void* stream);
  int32_t (*wait)(void* device, void* stream, void* event); /* the stream waits */
  int32_t (*elapsed)(void* device, void* begin, void* end, double* seconds);

  /* Work that can be launched again and again. `variant`: NULL, "heuristic" or "best"; NULL comes
   * back for a kernel that the device does not have. */
  void* (*prepare)(void* device, const struct foreshard_kernel* kernel, const char* variant);
  const char* (*variant)(void* device, void* work); /* what was chosen, for people */
  const char* (*library)(void* device, void* work); /* "cuBLASLt" */
  int32_t (*launch)(void* device, void* work, void* stream);
  void (*discard)(void* device, void* work);
};

/* A collective as its library is called. `count` is the argument of the call, as nccl-tests has it:
 * all_gather, reduce_scatter, all_to_all, gather and scatter count what one rank has for one other.
 */
struct foreshard_collective {
  const char* operation; /* of base/collective.hpp: all_reduce, ..., send_receive, barrier */
  const char* dtype;     /* of nccl-tests: int8, int32, half, float, double, bfloat16, ... */
  const char* reduction; /* sum, prod, min, max, avg; "none" without */
  int64_t count;
  int32_t root;        /* broadcast, reduce, gather, scatter */
  int32_t destination; /* send_receive: the rank that is sent to; -1: none */
  int32_t source;      /* send_receive: the rank that is received from; -1: none */
  int32_t reserved;
};

/* How the ranks of a job find each other. */
struct foreshard_rendezvous {
  int32_t rank;
  int32_t ranks;
  const char* place; /* of runtimes that need one: a folder that all ranks see, made for this job */
  int32_t device;    /* of this rank */
  int32_t timeout_s; /* after which a rank that does not come is given up */
};

/* Messages between ranks. All ranks of a communicator make the same calls in the same order. */
struct foreshard_network {
  const char* (*version)(void);
  /* Joins the world. NULL when it cannot, see error(NULL). Rank and ranks of an MPI job are MPI's
   * own; a rendezvous with ranks 0 takes them from there. */
  void* (*join)(const struct foreshard_rendezvous* rendezvous);
  void (*leave)(void* world);
  void (*abort)(void* world); /* ends all ranks at once */
  const char* (*error)(void* world);
  int32_t (*rank)(void* world);
  int32_t (*ranks)(void* world);
  int32_t (*host_memory)(void* world); /* 1: buffers lie in host memory, and calls block */
  int32_t (*software)(void* world, int32_t index, struct foreshard_software* software);
  /* Host data of `bytes` from every rank to every rank; not timed. */
  int32_t (*share)(void* world, const void* mine, void* all, int64_t bytes);

  /* The communicator of some ranks of the world, in this order; ranks that are not listed call with
   * count 0 and get NULL, which is no error. Every rank of the world calls it. */
  void* (*communicator)(void* world, const int32_t* ranks, int32_t count);
  void (*free_communicator)(void* world, void* communicator);
  /* In place where the library defines it: send == its place in receive. */
  int32_t (*launch)(void* world, void* communicator, const struct foreshard_collective* collective,
                    const void* send, void* receive, void* stream);
  /* What the library itself says that it will take; not 0 where it does not say. */
  int32_t (*estimate)(void* world, void* communicator,
                      const struct foreshard_collective* collective, double* seconds);
};

#ifdef __cplusplus
}
#endif

#endif
