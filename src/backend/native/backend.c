#include "backends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "native.h"

static void read_cpu_name(char *name, size_t size) {
    static const char key[] = "\nmodel name";
    char *text = NULL;
    size_t length;
    bm_string_set(name, size, "CPU");
    if (bm_file_read("/proc/cpuinfo", (size_t)16 << 20, &text, &length, NULL) != BM_OK)
        return;
    char *line = strstr(text, key), *colon = line != NULL ? strchr(line, ':') : NULL;
    if (colon != NULL) {
        colon += 1 + strspn(colon + 1, " ");
        colon[strcspn(colon, "\n")] = '\0';
        bm_string_set(name, size, colon);
    }
    free(text);
}

static enum bm_status list(const struct bm_backend_options *options, struct bm_endpoint **endpoints,
                           size_t *count, size_t *capacity, struct bm_error *error) {
    struct bm_cpu cpu;
    if (options->places == NULL || !options->cpus)
        return BM_OK;
    bm_cpu_detect(&cpu);
    if (!bm_cpu_has(&cpu, options->isa))
        return BM_OK;
    enum bm_status status = bm_grow(endpoints, capacity, *count + 1, sizeof **endpoints, error);
    if (status != BM_OK)
        return status;
    struct bm_endpoint *endpoint = &(*endpoints)[(*count)++];
    const uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    bm_cpu_cap(&cpu, options->isa);
    *endpoint = (struct bm_endpoint){.backend = &bm_backend_native,
                                     .id = "native",
                                     .vendor = "",
                                     .platform = "instructions of the CPU",
                                     .driver = "built in",
                                     .compute_units = options->places->count,
                                     .memory_bytes = bytes,
                                     .max_allocation_bytes = bytes,
                                     .max_group_items = 1,
                                     .timer_resolution_ns = 1,
                                     .unified_memory = true,
                                     .usable = true,
                                     .has_fp64 = true,
                                     .has_fp16 = cpu.avx512_fp16,
                                     .has_integer_dot = cpu.avx512_vnni || cpu.avx_vnni,
                                     .only_ceilings = true,
                                     .fixed_kernels = true,
                                     .instructions = true,
                                     .isa = options->isa,
                                     .places = options->places};
    read_cpu_name(endpoint->name, sizeof endpoint->name);
    char tiers[64];
    bm_cpu_tiers(&cpu, tiers);
    bm_string_set(endpoint->version, sizeof endpoint->version, tiers[0] != '\0' ? tiers : "portable");
    return BM_OK;
}

static void release(struct bm_endpoint *endpoint) {
    (void)endpoint;
}

static void close_session(struct bm_session *session) {
    if (session == NULL)
        return;
    bm_team_destroy(session->team);
    bm_native_memory_fini(session);
    free(session);
}

static enum bm_status open_session(const struct bm_endpoint *endpoint,
                                   const struct bm_session_options *options, struct bm_session **session_out,
                                   struct bm_error *error) {
    *session_out = NULL;
    if (!endpoint->usable)
        return bm_fail(error, BM_UNSUPPORTED, "%s cannot run kernels: %s", endpoint->id,
                       endpoint->unusable_reason);
    struct bm_session *session = bm_alloc(1, sizeof *session);
    if (session == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while opening %s", endpoint->id);
    session->endpoint = endpoint;
    session->options = *options;
    session->target = (struct bm_target){.compute_units = endpoint->compute_units,
                                         .max_group_items = endpoint->max_group_items,
                                         .max_allocation_bytes = endpoint->max_allocation_bytes,
                                         .has_fp16 = endpoint->has_fp16,
                                         .has_fp64 = endpoint->has_fp64,
                                         .has_integer_dot = endpoint->has_integer_dot};
    bm_cpu_detect(&session->cpu);
    bm_cpu_cap(&session->cpu, endpoint->isa);
    session->amx_given = bm_cpu_has(&session->cpu, BM_ISA_AMX) && bm_cpu_request_amx();
    enum bm_status status = bm_team_create(endpoint->places, &session->team, error);
    if (status == BM_OK)
        *session_out = session;
    else
        close_session(session);
    return status;
}

static void discard(struct bm_prepared *prepared) {
    free(prepared);
}

static enum bm_status prepare(struct bm_session *session, const struct bm_case *the_case,
                              const struct bm_parameters *parameters, struct bm_prepared **prepared_out,
                              struct bm_error *error) {
    *prepared_out = NULL;
    struct bm_prepared *prepared = bm_alloc(1, sizeof *prepared);
    if (prepared == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while preparing a case");
    prepared->session = session;
    prepared->the_case = *the_case;
    enum bm_status status = bm_native_check(session, the_case, error);
    if (status == BM_OK)
        status = the_case->workload->plain(the_case, &prepared->plan, error);
    if (status == BM_OK)
        status = bm_native_choose(prepared, parameters, error);
    if (status == BM_OK)
        status = bm_native_take_memory(prepared, error);
    if (status == BM_OK)
        *prepared_out = prepared;
    else
        discard(prepared);
    return status;
}

static enum bm_status known(const struct bm_session *session, const struct bm_case *the_case,
                            struct bm_parameters *parameters, const char **from, struct bm_error *error) {
    *parameters = (struct bm_parameters){0};
    *from = "safe";
    enum bm_status status = bm_native_check(session, the_case, error);
    if (status == BM_OK)
        (void)bm_native_candidates(session, the_case, parameters, 1);
    return status;
}

static const struct bm_target *target(const struct bm_session *session) {
    return &session->target;
}

static void info(const struct bm_prepared *prepared, struct bm_prepared_info *out) {
    *out = (struct bm_prepared_info){.variant = prepared->plan.variant,
                                     .pipe = prepared->plan.pipe,
                                     .parameters = &prepared->parameters,
                                     .parameters_from = prepared->parameters_from,
                                     .threads = prepared->span.count};
}

const struct bm_backend bm_backend_native = {
    .name = "native",
    .summary = "ceilings of the CPU by its own instructions",
    .list = list,
    .release = release,
    .open = open_session,
    .close = close_session,
    .reserve = bm_native_reserve,
    .prepare = prepare,
    .known = known,
    .target = target,
    .info = info,
    .verify = bm_native_verify,
    .run = bm_native_run,
    .discard = discard,
    .ceilings = bm_native_ceilings,
    .candidates = bm_native_candidates,
};
