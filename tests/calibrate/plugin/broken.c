/* Plug-ins that foreshard has to refuse, one a name. */
#include <stddef.h>

#include "calibrate/backends/plugin.h"

static struct foreshard_backend empty; /* all its functions are NULL */

static struct foreshard_backend* create(void) { return &empty; }
static struct foreshard_backend* create_none(void) { return NULL; }
static void destroy(struct foreshard_backend* backend) { (void)backend; }
static const char* version(void) { return FORESHARD_BACKEND_ABI; }
static const char* older(void) { return "0.9"; }
static const char* newer(void) { return "1.0.1"; }
static const char* no_version(void) { return NULL; }

#define FACTORY(name, make, destruct, tell)                            \
  struct foreshard_backend_factory foreshard_backend_##name(void) {    \
    struct foreshard_backend_factory factory = {make, destruct, tell}; \
    return factory;                                                    \
  }

FACTORY(older, create, destroy, older)
FACTORY(newer, create, destroy, newer)
FACTORY(no_version, create, destroy, no_version)
FACTORY(null_create, NULL, destroy, version)
FACTORY(null_destroy, create, NULL, version)
FACTORY(null_version, create, destroy, NULL)
FACTORY(creates_none, create_none, destroy, version)
FACTORY(empty, create, destroy, version)
