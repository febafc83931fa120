/* From options to cases, on an inventory made by hand: a CPU with two backends, a GPU with one, and a GPU
 * that cannot be used. The models and suites are the program's own where the test does not write its own. */
#ifndef TESTS_RUN_PLANS_H
#define TESTS_RUN_PLANS_H

#include "run.h"

#include "../data/fixture.h"

extern struct bm_endpoint plans_endpoints[4];
extern struct bm_device plans_devices[3];
extern struct bm_inventory plans_inventory;
extern struct bm_run_options plans_options;
extern struct bm_run_plan plans_made; /* the last one */
void plans_begin(void);
void plans_end(void);

/* The words up to NULL as an option's list; with PLANS_NAMES it lives as long as the block around it. */
struct bm_names plans_names(char **storage, ...);
#define PLANS_NAMES(...) plans_names((char *[8]){0}, __VA_ARGS__, NULL)
void plans_select_gpu(void); /* one endpoint alone */

/* Plans, and checks what holds of every plan. */
void plans_create(void);
void plans_expect_error(enum bm_status status, const char *part);
/* Items on an endpoint: ceilings or rows. */
size_t plans_count(size_t device, size_t endpoint, bool ceilings);

#endif
