/* endpoints.h - for tests on real devices: the usable endpoints of this machine, and a session on one of
 * them. */
#ifndef TESTS_BACKEND_ENDPOINTS_H
#define TESTS_BACKEND_ENDPOINTS_H

#include "bm/backend.h"

#include <criterion/criterion.h>
#include <string.h>

/* Around every test: lists the endpoints; at least one must be usable (PoCL is on every machine that builds
 * this). */
void endpoints_begin(void);
void endpoints_begin_rows(void);      /* those that do more than measure ceilings */
void endpoints_begin_compiling(void); /* those that compile the sources in kernels/ */
bool endpoint_compiles(const struct bm_endpoint *endpoint);
void endpoints_end(void);
/* The usable endpoint number index, NULL past the last. */
const struct bm_endpoint *endpoints_get(size_t index);

/* A session with the options; fails the test when it does not open. kernels may be NULL: the program's own.
 */
struct bm_session *session_open(const struct bm_endpoint *endpoint, uint64_t cold_bytes, uint64_t seed,
                                const char *kernels);
/* Reserves and prepares one case; fails the test when that does not work. */
struct bm_prepared *session_prepare(const struct bm_endpoint *endpoint, struct bm_session *session,
                                    const struct bm_case *the_case);

#endif
