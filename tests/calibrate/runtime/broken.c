/* Runtimes that foreshard has to refuse, one a name. */
#include <stddef.h>

#include "calibrate/runtime/runtime.h"

static const char* version(void) { return FORESHARD_RUNTIME_ABI; }
static const char* older(void) { return "0.9"; }
static const char* none(void) { return NULL; }
static int32_t devices(void) { return 0; }
static void* open_device(int32_t device) {
  (void)device;
  return NULL;
}

#define COMPUTE(name, ...)                                         \
  const struct foreshard_compute* foreshard_compute_##name(void) { \
    static const struct foreshard_compute table = {__VA_ARGS__};   \
    return &table;                                                 \
  }
#define NETWORK(name, ...)                                         \
  const struct foreshard_network* foreshard_network_##name(void) { \
    static const struct foreshard_network table = {__VA_ARGS__};   \
    return &table;                                                 \
  }

COMPUTE(older, .version = older)
COMPUTE(versionless, .version = none)
COMPUTE(no_version, .devices = devices)
COMPUTE(no_open, .version = version, .devices = devices)
COMPUTE(no_close, .version = version, .devices = devices, .open = open_device)
NETWORK(no_join, .version = version)
NETWORK(older, .version = older)

const struct foreshard_compute* foreshard_compute_tableless(void) { return NULL; }
