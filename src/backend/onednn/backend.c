/* The onednn backend as the program sees it: every session is a worker process that runs the library
 * (worker/, and the folder library/ beside this file), so that each has a cap of its own: the library takes
 * one a process. */
#include "backends.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/process.h"

struct bm_session {
    const struct bm_endpoint *endpoint;
    struct bm_target target;
    struct bm_worker worker;
};

struct bm_prepared {
    struct bm_session *session;
    struct bm_worker_reply description; /* its fields of PREPARE */
};

#define PROGRAM "benchmark-onednn"

/* ---- environment of the worker ---- */

/* The library's threads are OpenMP's: one on each place. They wait actively for the next piece of a case, as
 * the library's users have them, but sleep soon after it: other backends use the same cores then. */
static enum bm_status make_environment(const struct bm_endpoint *endpoint, struct bm_text *lines,
                                       char *variables[8], struct bm_error *error) {
    const struct bm_places *places = endpoint->places;
    size_t count = 0, starts[8];
    starts[count++] = lines->length;
    bm_text_append(lines, "OMP_NUM_THREADS=%u%c", places->count, '\0');
    starts[count++] = lines->length;
    bm_text_append(lines, "OMP_PROC_BIND=true%c", '\0');
    starts[count++] = lines->length;
    bm_text_append(lines, "OMP_PLACES=");
    for (unsigned i = 0; i < places->count; i++)
        bm_text_append(lines, "%s{%u}", i > 0 ? "," : "", places->items[i].pu);
    bm_text_append(lines, "%c", '\0');
    starts[count++] = lines->length;
    bm_text_append(lines, "OMP_DYNAMIC=false%c", '\0');
    if (getenv("GOMP_SPINCOUNT") == NULL && getenv("OMP_WAIT_POLICY") == NULL) {
        starts[count++] = lines->length;
        bm_text_append(lines, "GOMP_SPINCOUNT=20000%c", '\0');
    }
    if (lines->failed)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while opening %s", endpoint->id);
    for (size_t i = 0; i < count; i++)
        variables[i] = lines->data + starts[i];
    variables[count] = NULL;
    return BM_OK;
}

static enum bm_status start(const struct bm_endpoint *endpoint, const struct bm_session_options *options,
                            struct bm_worker *worker, struct bm_worker_library *library,
                            struct bm_error *error) {
    char path[PATH_MAX], *variables[8];
    struct bm_text lines = {0};
    struct bm_worker_request request = {.call = BM_WORKER_OPEN,
                                        .isa = endpoint->isa,
                                        .threads = endpoint->places->count,
                                        .cold_bytes = options->cold_bytes,
                                        .session_seed = options->seed,
                                        .memory_bytes = endpoint->memory_bytes};
    struct bm_worker_reply reply;
    enum bm_status status = bm_worker_find(PROGRAM, path, sizeof path, error);
    if (status == BM_OK)
        status = make_environment(endpoint, &lines, variables, error);
    if (status == BM_OK)
        status = bm_worker_start("oneDNN", path, variables, worker, error);
    bm_text_fini(&lines);
    if (status != BM_OK)
        return status;
    status = bm_worker_call(worker, &request, &reply, error);
    if (status == BM_OK)
        *library = reply.library;
    else
        bm_worker_stop(worker);
    return status;
}

/* ---- endpoints ---- */

static void describe(struct bm_endpoint *endpoint) {
    const struct bm_session_options options = {0};
    struct bm_worker worker;
    struct bm_worker_library library;
    struct bm_error error = {0};
    if (!BM_HAS_ONEDNN) {
        bm_fail(&error, BM_NOT_FOUND, "built without oneDNN: install libdnnl-dev, configure anew");
    } else if (start(endpoint, &options, &worker, &library, &error) == BM_OK) {
        endpoint->usable = true;
        bm_string_set(endpoint->driver, sizeof endpoint->driver, library.version);
        bm_string_set(endpoint->version, sizeof endpoint->version, library.isa);
        endpoint->lacks_dtypes = library.lacks_dtypes;
        bm_worker_stop(&worker);
        return;
    }
    bm_string_set(endpoint->driver, sizeof endpoint->driver, "unknown");
    bm_string_set(endpoint->unusable_reason, sizeof endpoint->unusable_reason, error.message);
}

static enum bm_status list(const struct bm_backend_options *options, struct bm_endpoint **endpoints,
                           size_t *count, size_t *capacity, struct bm_error *error) {
    struct bm_cpu cpu;
    bm_cpu_detect(&cpu);
    if (options->places == NULL || !options->cpus || !bm_cpu_has(&cpu, options->isa))
        return BM_OK;
    enum bm_status status = bm_grow(endpoints, capacity, *count + 1, sizeof **endpoints, error);
    if (status != BM_OK)
        return status;
    const uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct bm_endpoint *endpoint = &(*endpoints)[(*count)++];
    *endpoint = (struct bm_endpoint){.backend = &bm_backend_onednn,
                                     .id = "onednn",
                                     .name = "CPU",
                                     .platform = "oneAPI Deep Neural Network Library",
                                     .compute_units = options->places->count,
                                     .memory_bytes = bytes,
                                     .max_allocation_bytes = bytes,
                                     .max_group_items = 1,
                                     .timer_resolution_ns = 1,
                                     .unified_memory = true,
                                     .only_rows = true,
                                     .only_products = true,
                                     .fixed_kernels = true,
                                     .instructions = true,
                                     .isa = options->isa,
                                     .places = options->places};
    describe(endpoint);
    return BM_OK;
}

static void release(struct bm_endpoint *endpoint) {
    (void)endpoint;
}

/* ---- sessions ---- */

static enum bm_status open_session(const struct bm_endpoint *endpoint,
                                   const struct bm_session_options *options, struct bm_session **session_out,
                                   struct bm_error *error) {
    struct bm_worker_library unused;
    *session_out = NULL;
    if (!endpoint->usable)
        return bm_fail(error, BM_UNSUPPORTED, "%s cannot run kernels: %s", endpoint->id,
                       endpoint->unusable_reason);
    struct bm_session *session = bm_alloc(1, sizeof *session);
    if (session == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while opening %s", endpoint->id);
    session->endpoint = endpoint;
    session->target = (struct bm_target){.compute_units = endpoint->compute_units,
                                         .max_group_items = endpoint->max_group_items,
                                         .max_allocation_bytes = endpoint->max_allocation_bytes};
    enum bm_status status = start(endpoint, options, &session->worker, &unused, error);
    if (status == BM_OK)
        *session_out = session;
    else
        free(session);
    return status;
}

static void close_session(struct bm_session *session) {
    if (session == NULL)
        return;
    bm_worker_stop(&session->worker);
    free(session);
}

static void give_case(struct bm_worker_request *request, const struct bm_case *the_case,
                      const struct bm_parameters *parameters) {
    bm_worker_case_pack(the_case, &request->wanted);
    request->has_parameters = parameters != NULL && parameters->count > 0;
    if (request->has_parameters)
        request->parameters = *parameters;
}

static enum bm_status reserve(struct bm_session *session, const struct bm_case *the_case,
                              const struct bm_parameters *parameters, struct bm_error *error) {
    struct bm_worker_request request = {.call = BM_WORKER_RESERVE};
    struct bm_worker_reply reply;
    give_case(&request, the_case, parameters);
    return bm_worker_call(&session->worker, &request, &reply, error);
}

static enum bm_status prepare(struct bm_session *session, const struct bm_case *the_case,
                              const struct bm_parameters *parameters, struct bm_prepared **prepared_out,
                              struct bm_error *error) {
    struct bm_worker_request request = {.call = BM_WORKER_PREPARE};
    *prepared_out = NULL;
    struct bm_prepared *prepared = bm_alloc(1, sizeof *prepared);
    if (prepared == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while preparing a case");
    prepared->session = session;
    give_case(&request, the_case, parameters);
    enum bm_status status = bm_worker_call(&session->worker, &request, &prepared->description, error);
    if (status == BM_OK)
        *prepared_out = prepared;
    else
        free(prepared);
    return status;
}

static void discard(struct bm_prepared *prepared) {
    struct bm_worker_reply reply;
    if (prepared == NULL)
        return;
    struct bm_worker_request request = {.call = BM_WORKER_DISCARD,
                                        .prepared = prepared->description.prepared};
    (void)!bm_worker_call(&prepared->session->worker, &request, &reply, NULL);
    free(prepared);
}

/* Of int8 the signs that the CPU multiplies (worker/session.c); else the library knows best. */
static enum bm_status known(const struct bm_session *session, const struct bm_case *the_case,
                            struct bm_parameters *parameters, const char **from, struct bm_error *error) {
    struct bm_cpu cpu;
    (void)error;
    bm_cpu_detect(&cpu);
    bm_cpu_cap(&cpu, session->endpoint->isa);
    *parameters = (struct bm_parameters){0};
    if (the_case->dtype != NULL && the_case->dtype->quantised_activations)
        bm_parameters_set(parameters, "UNSIGNED", !cpu.amx_int8 || !bm_cpu_request_amx());
    *from = "shipped";
    return BM_OK;
}

static const struct bm_target *target(const struct bm_session *session) {
    return &session->target;
}

static void info(const struct bm_prepared *prepared, struct bm_prepared_info *out) {
    *out = (struct bm_prepared_info){.variant = prepared->description.variant,
                                     .pipe = prepared->description.pipe,
                                     .parameters = &prepared->description.parameters,
                                     .parameters_from = prepared->description.parameters_from,
                                     .cold_bytes = prepared->description.cold_bytes,
                                     .launches = 1};
}

static enum bm_status verify(struct bm_prepared *prepared, uint64_t seed,
                             struct bm_verification *verification, struct bm_error *error) {
    struct bm_worker_request request = {
        .call = BM_WORKER_VERIFY, .prepared = prepared->description.prepared, .seed = seed};
    struct bm_worker_reply reply;
    enum bm_status status = bm_worker_call(&prepared->session->worker, &request, &reply, error);
    *verification = status == BM_OK ? reply.verification : (struct bm_verification){0};
    return status;
}

static enum bm_status run(struct bm_prepared *prepared, uint64_t launches, struct bm_block *block,
                          struct bm_error *error) {
    struct bm_worker_request request = {
        .call = BM_WORKER_RUN, .prepared = prepared->description.prepared, .launches = launches};
    struct bm_worker_reply reply;
    enum bm_status status = bm_worker_call(&prepared->session->worker, &request, &reply, error);
    *block = status == BM_OK ? reply.block : (struct bm_block){0};
    return status;
}

const struct bm_backend bm_backend_onednn = {
    .name = "onednn",
    .summary = "the library that CPU inference runs on",
    .list = list,
    .release = release,
    .open = open_session,
    .close = close_session,
    .reserve = reserve,
    .prepare = prepare,
    .known = known,
    .target = target,
    .info = info,
    .verify = verify,
    .run = run,
    .discard = discard,
};
