/* A plug-in with prices and with the network that it prices: a job of one rank, where every
 * collective is a copy from what is sent to what is received. Its prices are 1 us and 1 GB/s. */
#include <stdlib.h>
#include <string.h>

#include "calibrate/backends/plugin.h"
#include "calibrate/runtime/runtime.h"

static const char* description(void* state) {
  (void)state;
  return "a copy in one rank";
}
static int32_t yes(void* state) {
  (void)state;
  return 1;
}
static int32_t supports(void* state, const char* operation) {
  (void)state;
  return strcmp(operation, "barrier") != 0;
}
static int32_t cost(void* state, const struct foreshard_request* request,
                    struct foreshard_cost* cost) {
  (void)state;
  cost->latency = 1e-6;
  cost->time = 1e-6 + (double)request->bytes / 1e9;
  cost->spread = 0.1;
  return 0;
}
static struct foreshard_backend backend = {NULL, description, yes, supports, cost};
static struct foreshard_backend* create(void) { return &backend; }
static void destroy(struct foreshard_backend* old) { (void)old; }
static const char* backend_version(void) { return FORESHARD_BACKEND_ABI; }
struct foreshard_backend_factory foreshard_backend_solo(void) {
  struct foreshard_backend_factory factory = {create, destroy, backend_version};
  return factory;
}

static const char* error_text = "";
static int32_t failed(const char* why) {
  error_text = why;
  return 1;
}
static const char* version(void) { return FORESHARD_RUNTIME_ABI; }
static void* join(const struct foreshard_rendezvous* rendezvous) {
  if (rendezvous->ranks == 1) return &backend;
  failed("only one rank fits into this world");
  return NULL;
}
static void leave(void* world) { (void)world; }
static void end(void* world) {
  (void)world;
  exit(1);
}
static const char* error(void* world) {
  (void)world;
  return error_text;
}
static int32_t zero(void* world) {
  (void)world;
  return 0;
}
static int32_t software(void* world, int32_t index, struct foreshard_software* software) {
  (void)world;
  if (index != 0) return 1;
  strcpy(software->name, "Solo");
  strcpy(software->version, "1.0");
  return 0;
}
static int32_t share(void* world, const void* mine, void* all, int64_t bytes) {
  (void)world;
  memcpy(all, mine, (size_t)bytes);
  return 0;
}
static void* communicator(void* world, const int32_t* ranks, int32_t count) {
  (void)ranks;
  return count > 0 ? world : NULL;
}
static void free_communicator(void* world, void* old) {
  (void)world;
  (void)old;
}
static int32_t launch(void* world, void* group, const struct foreshard_collective* collective,
                      const void* send, void* receive, void* stream) {
  (void)world;
  (void)group;
  (void)stream;
  if (strcmp(collective->operation, "barrier") == 0) return 0;
  if (strcmp(collective->dtype, "float") != 0) return failed("only floats");
  memmove(receive, send, (size_t)collective->count * sizeof(float));
  return 0;
}
static int32_t estimate(void* world, void* group, const struct foreshard_collective* collective,
                        double* seconds) {
  (void)world;
  (void)group;
  *seconds = 1e-6 + (double)collective->count * (double)sizeof(float) / 1e9;
  return 0;
}
const struct foreshard_network* foreshard_network_solo(void) {
  static const struct foreshard_network network = {
      version, join,     leave, end,          error,             zero,   yes,
      yes,     software, share, communicator, free_communicator, launch, estimate};
  return &network;
}
