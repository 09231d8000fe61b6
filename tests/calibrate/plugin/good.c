/* A plug-in as an author would write it, with two backends: 5 us and 10 GB/s, whatever the
 * collective. "good" knows no barrier, "mute" no message from one rank to another; both misbehave
 * for four sizes, from 9,000,000,000,001 bytes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/backends/plugin.h"

static const char* description(void* state) {
  (void)state;
  return "test plug-in, 5 us and 10 GB/s";
}

static int32_t calibrated(void* state) {
  (void)state;
  return 1;
}

/* The state is the name of the operation that the backend lacks. */
static int32_t supports(void* state, const char* operation) { return strcmp(operation, state) != 0; }

static int32_t cost(void* state, const struct foreshard_request* request,
                    struct foreshard_cost* cost) {
  (void)state;
  cost->latency = 5e-6;
  cost->time = 5e-6 + 2.0 * (double)request->bytes / 10e9;
  cost->spread = 0.2;
  switch (request->bytes - 9000000000000) {
    case 1: return 7;
    case 2: cost->time = NAN; break;
    case 3: cost->latency = -1; break;
    case 4: cost->latency = 2 * cost->time; break;
    default: break;
  }
  return 0;
}

static struct foreshard_backend* create_without(const char* operation) {
  struct foreshard_backend* backend = malloc(sizeof *backend);
  if (backend == NULL) return NULL;
  backend->state = (void*)operation;
  backend->description = description;
  backend->calibrated = calibrated;
  backend->supports = supports;
  backend->cost = cost;
  return backend;
}

static struct foreshard_backend* create_good(void) { return create_without("barrier"); }

static struct foreshard_backend* create_mute(void) { return create_without("send_receive"); }

static void destroy(struct foreshard_backend* backend) { free(backend); }

static const char* version(void) { return FORESHARD_BACKEND_ABI; }

struct foreshard_backend_factory foreshard_backend_good(void) {
  struct foreshard_backend_factory factory = {create_good, destroy, version};
  return factory;
}

struct foreshard_backend_factory foreshard_backend_mute(void) {
  struct foreshard_backend_factory factory = {create_mute, destroy, version};
  return factory;
}
