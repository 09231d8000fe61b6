/* A plug-in that knows every collective, but no message from one rank to another. */
#include <stdlib.h>
#include <string.h>

#include "calibrate/backends/plugin.h"

static const char* description(void* state) {
  (void)state;
  return "test plug-in without messages, 10 GB/s";
}

static int32_t calibrated(void* state) {
  (void)state;
  return 1;
}

static int32_t supports(void* state, const char* operation) {
  (void)state;
  return strcmp(operation, "send_receive") != 0;
}

static int32_t cost(void* state, const struct foreshard_request* request,
                    struct foreshard_cost* cost) {
  (void)state;
  cost->latency = 5e-6;
  cost->time = 5e-6 + 2.0 * (double)request->bytes / 10e9;
  cost->spread = 0.2;
  return 0;
}

static struct foreshard_backend* create(void) {
  struct foreshard_backend* backend = malloc(sizeof *backend);
  if (backend == NULL) return NULL;
  backend->state = NULL;
  backend->description = description;
  backend->calibrated = calibrated;
  backend->supports = supports;
  backend->cost = cost;
  return backend;
}

static void destroy(struct foreshard_backend* backend) { free(backend); }

static const char* version(void) { return FORESHARD_BACKEND_ABI; }

struct foreshard_backend_factory foreshard_backend_mute(void) {
  struct foreshard_backend_factory factory = {create, destroy, version};
  return factory;
}
