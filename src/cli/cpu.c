/* Options of the CPU: what of it is used. */
#include <string.h>

#include "commands.h"

static enum bm_status read_cores(struct bm_inventory_options *options, struct bm_error *error) {
    static const struct {
        const char *name;
        enum bm_core_kind kind;
    } kinds[] = {
        {"all", BM_CORES_ALL}, {"performance", BM_CORES_PERFORMANCE}, {"efficiency", BM_CORES_EFFICIENCY}};
    if (settings.cores == NULL)
        return BM_OK;
    for (size_t i = 0; i < BM_COUNT_OF(kinds); i++)
        if (strcmp(settings.cores, kinds[i].name) == 0) {
            options->cores = kinds[i].kind;
            return BM_OK;
        }
    return bm_fail(error, BM_INVALID, "--cores: '%.40s' is not performance, efficiency or all",
                   settings.cores);
}

static enum bm_status read_caps(struct bm_inventory_options *options, struct bm_error *error) {
    for (size_t i = 0; i < settings.isa.count; i++) {
        const enum bm_isa cap = bm_isa_find(settings.isa.items[i]);
        bool known = false;
        if (cap == BM_ISA_ANY)
            return bm_fail(error, BM_INVALID,
                           "--isa: '%.40s' is unknown: use avx2, avx512, vnni, avx512_bf16 or amx",
                           settings.isa.items[i]);
        for (unsigned k = 0; k < options->cap_count; k++)
            known |= options->caps[k] == cap;
        if (!known)
            options->caps[options->cap_count++] = cap;
    }
    return BM_OK;
}

enum bm_status cpu_options_read(struct bm_inventory_options *options, struct bm_error *error) {
    *options = (struct bm_inventory_options){.threads = settings.threads};
    enum bm_status status = read_cores(options, error);
    return status == BM_OK ? read_caps(options, error) : status;
}
