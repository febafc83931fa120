/* An inventory made by hand, and the plans of a run on it. */
#include "plans.h"

#include <stdarg.h>

struct bm_endpoint plans_endpoints[4];
struct bm_device plans_devices[3];
struct bm_inventory plans_inventory = {
    .devices = plans_devices, .count = 3, .endpoints = plans_endpoints, .endpoint_count = 4};
struct bm_run_options plans_options;
struct bm_run_plan plans_made;
static struct bm_error error;

void plans_begin(void) {
    static const char *const ids[] = {"opencl/pocl", "opencl/intel", "opencl/nvidia", "opencl/rusticl"};
    fixture_begin();
    for (size_t e = 0; e < 4; e++) {
        bm_string_set(plans_endpoints[e].id, sizeof plans_endpoints[e].id, ids[e]);
        plans_endpoints[e].usable = e < 3;
        plans_endpoints[e].is_gpu = e >= 2;
        plans_endpoints[e].memory_bytes = (uint64_t)64 << 30;
        plans_endpoints[e].max_allocation_bytes = (uint64_t)16 << 30;
    }
    plans_devices[0] = (struct bm_device){.id = "cpu0",
                                          .name = "AMD EPYC 9654",
                                          .llc_bytes = (uint64_t)384 << 20,
                                          .endpoint_count = 2,
                                          .endpoints = {&plans_endpoints[0], &plans_endpoints[1]}};
    plans_devices[1] = (struct bm_device){.id = "gpu0",
                                          .name = "NVIDIA A40",
                                          .is_gpu = true,
                                          .endpoint_count = 1,
                                          .endpoints = {&plans_endpoints[2]}};
    plans_devices[2] = (struct bm_device){.id = "gpu1",
                                          .name = "Intel Arc A770",
                                          .is_gpu = true,
                                          .endpoint_count = 1,
                                          .endpoints = {&plans_endpoints[3]}};
    plans_options = (struct bm_run_options){.suite = "quick"};
}

void plans_end(void) {
    bm_run_plan_fini(&plans_made);
    fixture_end();
}

struct bm_names plans_names(char **storage, ...) {
    struct bm_names list = {.items = storage};
    va_list words;
    va_start(words, storage);
    for (char *word; (word = va_arg(words, char *)) != NULL;)
        storage[list.count++] = word;
    va_end(words);
    return list;
}

void plans_select_gpu(void) {
    static char gpu[] = "gpu0", *word[] = {gpu};
    plans_options.devices = (struct bm_names){.items = word, .count = 1};
}

void plans_create(void) {
    bm_run_plan_fini(&plans_made);
    error = (struct bm_error){0};
    cr_assert_eq(bm_run_plan_create(&plans_options, &plans_inventory, &plans_made, &error), BM_OK, "%s",
                 error.message);
    for (size_t i = 0; i < plans_made.item_count; i++) {
        const struct bm_run_item *item = &plans_made.items[i], *source = &plans_made.items[item->measured_as];
        cr_assert(item->device < plans_inventory.count &&
                  item->endpoint < plans_devices[item->device].endpoint_count);
        cr_assert(plans_devices[item->device].endpoints[item->endpoint]->usable);
        cr_assert(item->measured_as <= i && source->measured_as == item->measured_as);
        cr_assert(source->device == item->device && source->endpoint == item->endpoint);
        cr_assert(bm_case_same_work(&item->the_case, &source->the_case));
        cr_assert_eq(item->is_ceiling, item->the_case.workload->is_ceiling);
        for (size_t j = 0; j < i; j++) {
            char key[BM_KEY_SIZE], other[BM_KEY_SIZE];
            bm_case_key(&item->the_case, key);
            bm_case_key(&plans_made.items[j].the_case, other);
            cr_assert(strcmp(key, other) != 0 || plans_made.items[j].device != item->device ||
                          plans_made.items[j].endpoint != item->endpoint,
                      "%s is planned twice", key);
        }
    }
    for (size_t r = 0; r < plans_made.request_count; r++) {
        const struct bm_run_request *request = &plans_made.requests[r];
        cr_assert_leq(request->first_use + request->use_count, plans_made.use_count);
        for (size_t u = request->first_use; u < request->first_use + request->use_count; u++) {
            const struct bm_run_item *item = &plans_made.items[plans_made.uses[u].item];
            cr_assert_gt(plans_made.uses[u].count, 0);
            cr_assert(item->device == request->device && item->endpoint == request->endpoint &&
                      !item->is_ceiling);
            cr_assert_str_eq(item->the_case.model, request->model);
            cr_assert_eq(item->the_case.phase, request->request.phase);
        }
    }
}

size_t plans_count(size_t device, size_t endpoint, bool ceilings) {
    size_t found = 0;
    for (size_t i = 0; i < plans_made.item_count; i++)
        found += plans_made.items[i].device == device && plans_made.items[i].endpoint == endpoint &&
                 plans_made.items[i].is_ceiling == ceilings;
    return found;
}

void plans_expect_error(enum bm_status status, const char *part) {
    struct bm_run_plan failed = {.item_count = 7};
    error = (struct bm_error){0};
    cr_expect_eq(bm_run_plan_create(&plans_options, &plans_inventory, &failed, &error), status, "%s",
                 error.message);
    cr_expect_eq(error.status, status);
    cr_expect_not_null(strstr(error.message, part), "'%s' lacks '%s'", error.message, part);
    cr_expect(failed.items == NULL && failed.item_count == 0, "outputs are cleared");
}
