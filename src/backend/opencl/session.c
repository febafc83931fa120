#include "session.h"

#include <stdlib.h>

#include "backends.h"

/* A file that cannot be read costs speed, not the run: one warning names it. */
static void load_parameters(struct bm_session *session) {
    const struct bm_endpoint *endpoint = session->endpoint;
    const struct bm_tuned_device device = {.backend = endpoint->id,
                                           .name = endpoint->name,
                                           .driver = endpoint->driver,
                                           .compute_units = endpoint->compute_units,
                                           .is_gpu = endpoint->is_gpu};
    struct bm_error error = {0};
    if (bm_tuned_shipped(&device, &session->shipped, &error) != BM_OK)
        bm_log(BM_LOG_WARNING, "safe kernel parameters instead of the shipped ones on %s: %s", endpoint->id,
               error.message);
    error = (struct bm_error){0};
    if (bm_tuned_cache_load(&device, session->kernels_folder, &session->tuned, &error) != BM_OK)
        bm_log(BM_LOG_WARNING, "tuned kernel parameters of %s are ignored: %s", endpoint->id, error.message);
}

/* Whether the driver's compiler and the device know NVIDIA's matrix instructions: the kernel that uses them
 * builds. Another vendor's compiler refuses it at its first lines. */
static bool probe_nvidia_mma(const struct bm_session *session) {
    struct bm_text path = {0};
    char *source = NULL;
    size_t size;
    bm_text_append(&path, "%s/gemm_matrix.cl", session->kernels_folder);
    const bool has =
        !path.failed && bm_file_read(path.data, BM_SOURCE_LIMIT, &source, &size, NULL) == BM_OK &&
        bm_cl_program_probe(&session->queue, source, "-cl-std=CL1.2 -D MATRIX_UNIT=2 -D WEIGHT=2");
    free(source);
    bm_text_fini(&path);
    return has;
}

static enum bm_status open_session(const struct bm_endpoint *endpoint,
                                   const struct bm_session_options *options, struct bm_session **session_out,
                                   struct bm_error *error) {
    enum bm_status status = BM_OK;
    *session_out = NULL;
    if (!endpoint->usable)
        return bm_fail(error, BM_UNSUPPORTED, "%s cannot run kernels: %s", endpoint->id,
                       endpoint->unusable_reason);
    struct bm_session *session = bm_alloc(1, sizeof *session);
    if (session == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while opening %s", endpoint->id);
    session->endpoint = endpoint;
    session->options = *options;
    session->target = (struct bm_target){
        .is_gpu = endpoint->is_gpu,
        .compute_units = endpoint->compute_units,
        .max_group_items = endpoint->max_group_items,
        .local_bytes = endpoint->local_bytes,
        .max_allocation_bytes = endpoint->max_allocation_bytes,
        .has_fp16 = endpoint->has_fp16,
        .has_fp64 = endpoint->has_fp64,
        .has_integer_dot = endpoint->has_integer_dot,
    };
    if (options->kernels_folder != NULL)
        bm_string_set(session->kernels_folder, sizeof session->kernels_folder, options->kernels_folder);
    else
        status = bm_data_path("kernels", session->kernels_folder, sizeof session->kernels_folder, error);
    session->options.kernels_folder = session->kernels_folder;
    if (status == BM_OK)
        status = bm_cl_queue_open(endpoint->handle, &session->queue, error);
    if (status == BM_OK) {
        session->target.has_nvidia_mma = endpoint->is_gpu && probe_nvidia_mma(session);
        load_parameters(session);
        *session_out = session;
    } else {
        free(session);
    }
    return status;
}

static void close_session(struct bm_session *session) {
    if (session == NULL)
        return;
    for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++)
        bm_opencl_arena_fini(&session->arenas[e]);
    bm_opencl_pools_fini(session);
    bm_opencl_staging_fini(session);
    bm_cl_queue_close(&session->queue);
    bm_tuned_list_fini(&session->tuned);
    bm_tuned_list_fini(&session->shipped);
    free(session);
}

/* Parameters found before may no longer suit the kernel, those for one vendor's matrix unit not another's
 * driver: then the next best ones do. Those of a workload that is alike are only an offer. *done: no others
 * would do better. */
static enum bm_status plan_known(const struct bm_session *session, const struct bm_case *the_case,
                                 const struct bm_tuned_list *list, const char *what, struct bm_plan *plan,
                                 bool *done, struct bm_error *error) {
    const struct bm_workload *workload = the_case->workload;
    const char *dtype = the_case->dtype != NULL ? the_case->dtype->name : "-";
    char shape_class[BM_CLASS_SIZE];
    struct bm_error misfit = {0};
    enum bm_status status = BM_NOT_FOUND;
    bm_case_class(the_case, shape_class);
    const struct bm_tuned_entry *entry = bm_tuned_find(list, workload->name, dtype, shape_class);
    const bool own = entry != NULL;
    if (entry == NULL && workload->like != NULL)
        entry = bm_tuned_find(list, workload->like, dtype, shape_class);
    *done = false;
    for (; entry != NULL && !*done; entry = bm_tuned_next(list, shape_class, entry)) {
        misfit = (struct bm_error){0};
        status = workload->plan(the_case, &session->target, &entry->parameters, plan, &misfit);
        *done = status == BM_OK || status == BM_UNSUPPORTED;
    }
    if (own && !*done)
        bm_log(BM_LOG_WARNING, "%s on %s: the %s parameters are not used: %s", workload->name,
               session->endpoint->id, what, misfit.message);
    return status == BM_OK || !*done ? status : bm_fail(error, status, "%s", misfit.message);
}

enum bm_status bm_opencl_plan(const struct bm_session *session, const struct bm_case *the_case,
                              const struct bm_parameters *parameters, struct bm_plan *plan, const char **from,
                              struct bm_error *error) {
    const struct bm_workload *workload = the_case->workload;
    const struct {
        const char *name;
        const struct bm_tuned_list *list;
    } known[] = {{"tuned", &session->tuned}, {"shipped", &session->shipped}};
    *from = "tuned";
    if (parameters != NULL)
        return workload->plan(the_case, &session->target, parameters, plan, error);
    for (size_t i = 0; i < BM_COUNT_OF(known); i++) {
        bool done;
        enum bm_status status =
            plan_known(session, the_case, known[i].list, known[i].name, plan, &done, error);
        *from = known[i].name;
        if (done)
            return status;
    }
    struct bm_parameters safe = {0};
    *from = "safe";
    workload->safe_parameters(the_case, &session->target, &safe);
    return workload->plan(the_case, &session->target, &safe, plan, error);
}

static enum bm_status known(const struct bm_session *session, const struct bm_case *the_case,
                            struct bm_parameters *parameters, const char **from, struct bm_error *error) {
    struct bm_plan plan;
    *parameters = (struct bm_parameters){0};
    enum bm_status status = bm_opencl_plan(session, the_case, NULL, &plan, from, error);
    if (status == BM_OK)
        *parameters = plan.parameters;
    return status;
}

static void info(const struct bm_prepared *prepared, struct bm_prepared_info *out) {
    *out = (struct bm_prepared_info){
        .variant = prepared->plan.variant,
        .pipe = prepared->plan.pipe,
        .parameters = &prepared->plan.parameters,
        .parameters_from = prepared->parameters_from,
        .launches = prepared->plan.launch_count,
    };
    const struct bm_sequence *sequence = prepared->sequence;
    for (size_t i = 0; sequence != NULL && i < sequence->node_count; i++)
        out->launches += sequence->parts[sequence->nodes[i].part]->plan.launch_count;
    for (unsigned e = 0; e < BM_ELEMENT_COUNT; e++)
        if (prepared->slots > 1)
            out->cold_bytes += bm_element_size((enum bm_element)e, prepared->region[e] * prepared->slots);
    for (unsigned t = 0; t < prepared->plan.tensor_count; t++)
        if (prepared->slots > 1 && prepared->plan.tensors[t].rotates)
            out->cold_bytes +=
                bm_element_size(prepared->plan.tensors[t].element, prepared->stride[t] * prepared->slots);
}

static const struct bm_target *target(const struct bm_session *session) {
    return &session->target;
}

const struct bm_backend bm_backend_opencl = {
    .name = "opencl",
    .summary = "portable kernels on every OpenCL device",
    .list = bm_opencl_list,
    .release = bm_opencl_release,
    .open = open_session,
    .close = close_session,
    .reserve = bm_opencl_reserve,
    .prepare = bm_opencl_prepare,
    .known = known,
    .target = target,
    .info = info,
    .verify = bm_opencl_verify,
    .run = bm_opencl_run,
    .discard = bm_opencl_discard,
    .sequence = bm_opencl_sequence,
};
