/* The C interface of a communication backend that foreshard loads at run time.
 *
 * A plug-in named NAME (small letters, digits, '_') is a shared library that exports one function,
 *
 *     struct foreshard_backend_factory foreshard_backend_NAME(void);
 *
 * and is found through the environment variable FORESHARD_BACKEND_<NAME in capitals>_LIB, which
 * holds its path. A scenario chooses it by `communication: {backend: NAME}`. The library is opened
 * with RTLD_LAZY | RTLD_LOCAL and never closed.
 *
 * A library that can do the collectives that it prices may export foreshard_network_NAME as well
 * (calibrate/runtime/runtime.h): then `foreshard calibrate collectives --backend NAME` measures it.
 *
 * This file needs nothing but a C99 or C++ compiler; copy it. Nothing may be thrown across it.
 */
#ifndef FORESHARD_BACKEND_PLUGIN_H
#define FORESHARD_BACKEND_PLUGIN_H

#include <stdint.h>

/* What `version` has to return, letter by letter: there is no range of compatible versions. */
#define FORESHARD_BACKEND_ABI "1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* Where the members of a communicator sit. Text is owned by the caller and lives for the call. */
struct foreshard_group {
  int32_t ranks;               /* at least 2 */
  int32_t nodes;               /* scale-up domains that the group touches */
  int32_t ranks_per_node;      /* most members in one of them */
  int32_t nics;                /* of a node that the members use */
  int32_t in_switch_reduction; /* 1: the switch of a node adds */
  int32_t reserved;            /* 0 */
  double scale_up_rate;        /* of a rank inside its node, usable, byte/s */
  double scale_up_latency;     /* of a hop, s */
  double network_rate;         /* of a node, all those NICs together, usable, byte/s */
  double network_latency;      /* of a hop, s */
  const char* gpu;             /* name in foreshard's registry; NULL when unknown */
  const char* node_type;       /* the same for the node */
};

/* One collective. `operation` is one of all_reduce, all_gather, reduce_scatter, all_to_all,
 * broadcast, reduce, gather, scatter, send_receive, barrier. `bytes` follows nccl-tests:
 * all_reduce, broadcast, reduce: the buffer of a rank; all_gather, reduce_scatter, gather, scatter:
 * the whole buffer of all ranks; all_to_all: the send buffer of a rank; send_receive: the message;
 * barrier: 0. */
struct foreshard_request {
  const char* operation;
  int64_t bytes;
  struct foreshard_group group;
};

/* What it takes when it has the machine to itself. All finite, none negative, latency <= time. */
struct foreshard_cost {
  double time;    /* s, latency included; more bytes never take less */
  double latency; /* s, the part before bytes flow */
  double spread;  /* relative standard deviation of the true time about `time` */
};

/* A backend: its state, and functions that are all given it first. None may be NULL. Calls may come
 * from several threads at once, and the same request has the same answer. */
struct foreshard_backend {
  void* state;
  const char* (*description)(void* state);                 /* for people, with version and basis */
  int32_t (*calibrated)(void* state);                      /* 1: its prices rest on measurements */
  int32_t (*supports)(void* state, const char* operation); /* 1: cost may be asked for it */
  int32_t (*cost)(void* state, const struct foreshard_request* request,
                  struct foreshard_cost* cost); /* 0: done, else a mistake of its own */
};

/* None may be NULL. `create` returns NULL when it cannot; what it returns is handed to `destroy`
 * once, at the end. `version` is asked first. */
struct foreshard_backend_factory {
  struct foreshard_backend* (*create)(void);
  void (*destroy)(struct foreshard_backend* backend);
  const char* (*version)(void);
};

#ifdef __cplusplus
}
#endif

#endif
