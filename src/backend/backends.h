/* The doors of the backends for the table in backend.c. */
#ifndef BM_BACKENDS_H
#define BM_BACKENDS_H

#include "bm/backend.h"

extern const struct bm_backend bm_backend_opencl, bm_backend_native, bm_backend_onednn;

#endif
