#include "library.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bm_library {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

struct bm_library_matmul {
    struct bm_library *library;
    struct bm_library_shape shape;
    dnnl_primitive_desc_t descriptor;
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t activations, plain, outputs;
    const dnnl_memory_desc_t *packed, *scratch; /* owned by the descriptor */
    dnnl_memory_t activations_memory, outputs_memory, scratch_memory;
    dnnl_memory_t *slots;
    size_t slot_count;
};

static const char *status_name(dnnl_status_t status) {
    static const char *const names[] = {"success",       "out of memory", "invalid arguments",
                                        "unimplemented", "iterator ends", "runtime error",
                                        "not required"};
    return (size_t)status < BM_COUNT_OF(names) ? names[status] : "unknown error";
}

static enum bm_status check(dnnl_status_t code, const char *call, struct bm_error *error) {
    if (code == dnnl_success)
        return BM_OK;
    return bm_fail_native(error, code == dnnl_out_of_memory ? BM_NO_MEMORY : BM_DEVICE, (int)code, call,
                          "oneDNN: %s: %s", call, status_name(code));
}

/* ---- the library ---- */

static dnnl_cpu_isa_t cap_of(enum bm_isa isa) {
    struct bm_cpu cpu;
    bm_cpu_detect(&cpu);
    switch (isa) {
    case BM_ISA_AVX2:
        return dnnl_cpu_isa_avx2;
    case BM_ISA_AVX512:
        return dnnl_cpu_isa_avx512_core;
    case BM_ISA_VNNI:
        return cpu.avx512_vnni ? dnnl_cpu_isa_avx512_core_vnni : dnnl_cpu_isa_avx2_vnni;
    case BM_ISA_AVX512_BF16:
        return dnnl_cpu_isa_avx512_core_bf16;
    case BM_ISA_ANY:
    case BM_ISA_AMX:
    case BM_ISA_COUNT:
        break;
    }
    return dnnl_cpu_isa_all;
}

enum bm_status bm_library_open(enum bm_isa cap, struct bm_library **library_out, struct bm_error *error) {
    *library_out = NULL;
    if (cap != BM_ISA_ANY) {
        enum bm_status status = check(dnnl_set_max_cpu_isa(cap_of(cap)), "dnnl_set_max_cpu_isa", error);
        if (status != BM_OK)
            return status;
    }
    struct bm_library *library = bm_alloc(1, sizeof *library);
    if (library == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while opening oneDNN");
    enum bm_status status =
        check(dnnl_engine_create(&library->engine, dnnl_cpu, 0), "dnnl_engine_create", error);
    if (status == BM_OK)
        status = check(dnnl_stream_create(&library->stream, library->engine, dnnl_stream_default_flags),
                       "dnnl_stream_create", error);
    if (status == BM_OK)
        *library_out = library;
    else
        bm_library_close(library);
    return status;
}

void bm_library_close(struct bm_library *library) {
    if (library == NULL)
        return;
    if (library->stream != NULL)
        dnnl_stream_destroy(library->stream);
    if (library->engine != NULL)
        dnnl_engine_destroy(library->engine);
    free(library);
}

void bm_library_describe(char version[64], char isa[64]) {
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } names[] = {
        {dnnl_cpu_isa_sse41, "sse41"},
        {dnnl_cpu_isa_avx, "avx"},
        {dnnl_cpu_isa_avx2, "avx2"},
        {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
        {dnnl_cpu_isa_avx512_core, "avx512_core"},
        {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"},
        {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"},
        {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"},
    };
    const dnnl_version_t *own = dnnl_version();
    const dnnl_cpu_isa_t used = dnnl_get_effective_cpu_isa();
    snprintf(version, 64, "oneDNN %d.%d.%d", own->major, own->minor, own->patch);
    snprintf(isa, 64, "isa 0x%x", (unsigned)used);
    for (size_t i = 0; i < BM_COUNT_OF(names); i++)
        if (names[i].isa == used)
            snprintf(isa, 64, "%s", names[i].name);
}

/* ---- matrix products ---- */

static dnnl_data_type_t type_of(enum bm_library_type type) {
    static const dnnl_data_type_t types[] = {
        [BM_LIBRARY_F32] = dnnl_f32, [BM_LIBRARY_F16] = dnnl_f16, [BM_LIBRARY_BF16] = dnnl_bf16,
        [BM_LIBRARY_S8] = dnnl_s8,   [BM_LIBRARY_U8] = dnnl_u8,   [BM_LIBRARY_S32] = dnnl_s32};
    return types[type];
}

static const char *name_of(enum bm_library_type type) {
    static const char *const names[] = {
        [BM_LIBRARY_F32] = "f32", [BM_LIBRARY_F16] = "f16",          [BM_LIBRARY_BF16] = "bf16",
        [BM_LIBRARY_S8] = "int8", [BM_LIBRARY_U8] = "unsigned int8", [BM_LIBRARY_S32] = "int32"};
    return names[type];
}

static enum bm_status describe_operands(struct bm_library_matmul *matmul, dnnl_memory_desc_t *weights,
                                        struct bm_error *error) {
    const struct bm_library_shape *shape = &matmul->shape;
    const dnnl_dim_t m = (dnnl_dim_t)shape->m, n = (dnnl_dim_t)shape->n, k = (dnnl_dim_t)shape->k;
    const dnnl_dims_t in = {m, k}, both = {k, n}, out = {m, n}, transposed = {1, k};
    dnnl_status_t code =
        dnnl_memory_desc_init_by_tag(&matmul->activations, 2, in, type_of(shape->activations), dnnl_ab);
    if (code == dnnl_success)
        code = dnnl_memory_desc_init_by_tag(&matmul->outputs, 2, out, type_of(shape->outputs), dnnl_ab);
    if (code == dnnl_success)
        code = dnnl_memory_desc_init_by_strides(&matmul->plain, 2, both, type_of(shape->weights), transposed);
    if (code == dnnl_success)
        code = dnnl_memory_desc_init_by_tag(weights, 2, both, type_of(shape->weights), dnnl_format_tag_any);
    return check(code, "dnnl_memory_desc_init", error);
}

/* Working space is ours, so that the cases of a session share it. */
static dnnl_status_t describe_primitive(struct bm_library_matmul *matmul, const dnnl_memory_desc_t *weights) {
    dnnl_matmul_desc_t operation;
    dnnl_primitive_attr_t attributes;
    dnnl_status_t code =
        dnnl_matmul_desc_init(&operation, &matmul->activations, weights, NULL, &matmul->outputs);
    if (code != dnnl_success || (code = dnnl_primitive_attr_create(&attributes)) != dnnl_success)
        return code;
    code = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (code == dnnl_success)
        code = dnnl_primitive_desc_create(&matmul->descriptor, &operation, attributes,
                                          matmul->library->engine, NULL);
    dnnl_primitive_attr_destroy(attributes);
    return code;
}

enum bm_status bm_library_matmul_create(struct bm_library *library, const struct bm_library_shape *shape,
                                        struct bm_library_matmul **matmul_out, struct bm_error *error) {
    dnnl_memory_desc_t weights;
    char version[64], isa[64];
    *matmul_out = NULL;
    struct bm_library_matmul *matmul = bm_alloc(1, sizeof *matmul);
    if (matmul == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory while preparing a case");
    matmul->library = library;
    matmul->shape = *shape;
    enum bm_status status = describe_operands(matmul, &weights, error);
    if (status == BM_OK) {
        dnnl_status_t code = describe_primitive(matmul, &weights);
        bm_library_describe(version, isa);
        if (code == dnnl_unimplemented || code == dnnl_invalid_arguments)
            status =
                bm_fail(error, BM_UNSUPPORTED, "%s has no product of %s activations and %s weights by %s",
                        version, name_of(shape->activations), name_of(shape->weights), isa);
        else
            status = check(code, "dnnl_primitive_desc_create", error);
    }
    if (status == BM_OK) {
        matmul->packed = dnnl_primitive_desc_query_md(matmul->descriptor, dnnl_query_weights_md, 0);
        matmul->scratch = dnnl_primitive_desc_query_md(matmul->descriptor, dnnl_query_scratchpad_md, 0);
        status = check(dnnl_primitive_create(&matmul->primitive, matmul->descriptor), "dnnl_primitive_create",
                       error);
    }
    if (status == BM_OK)
        *matmul_out = matmul;
    else
        bm_library_matmul_destroy(matmul);
    return status;
}

static void unbind(struct bm_library_matmul *matmul) {
    dnnl_memory_t *const single[] = {&matmul->activations_memory, &matmul->outputs_memory,
                                     &matmul->scratch_memory};
    for (size_t i = 0; i < BM_COUNT_OF(single); i++) {
        if (*single[i] != NULL)
            dnnl_memory_destroy(*single[i]);
        *single[i] = NULL;
    }
    for (size_t s = 0; s < matmul->slot_count; s++)
        if (matmul->slots[s] != NULL)
            dnnl_memory_destroy(matmul->slots[s]);
    free(matmul->slots);
    matmul->slots = NULL;
    matmul->slot_count = 0;
}

void bm_library_matmul_destroy(struct bm_library_matmul *matmul) {
    if (matmul == NULL)
        return;
    unbind(matmul);
    if (matmul->primitive != NULL)
        dnnl_primitive_destroy(matmul->primitive);
    if (matmul->descriptor != NULL)
        dnnl_primitive_desc_destroy(matmul->descriptor);
    free(matmul);
}

const char *bm_library_matmul_name(const struct bm_library_matmul *matmul) {
    const char *name = NULL;
    if (dnnl_primitive_desc_query(matmul->descriptor, dnnl_query_impl_info_str, 0, (void *)&name) !=
            dnnl_success ||
        name == NULL)
        return "matmul";
    return name;
}

size_t bm_library_matmul_packed_bytes(const struct bm_library_matmul *matmul) {
    return dnnl_memory_desc_get_size(matmul->packed);
}

size_t bm_library_matmul_scratch_bytes(const struct bm_library_matmul *matmul) {
    return dnnl_memory_desc_get_size(matmul->scratch);
}

enum bm_status bm_library_matmul_pack(struct bm_library_matmul *matmul, const void *plain, void *packed,
                                      struct bm_error *error) {
    dnnl_engine_t engine = matmul->library->engine;
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_primitive_desc_t descriptor = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_status_t code = dnnl_memory_create(&from, &matmul->plain, engine, (void *)(uintptr_t)plain);
    if (code == dnnl_success)
        code = dnnl_memory_create(&to, matmul->packed, engine, packed);
    if (code == dnnl_success)
        code = dnnl_reorder_primitive_desc_create(&descriptor, &matmul->plain, engine, matmul->packed, engine,
                                                  NULL);
    if (code == dnnl_success)
        code = dnnl_primitive_create(&reorder, descriptor);
    if (code == dnnl_success) {
        const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
        code = dnnl_primitive_execute(reorder, matmul->library->stream, BM_COUNT_OF(arguments), arguments);
    }
    if (code == dnnl_success)
        code = dnnl_stream_wait(matmul->library->stream);
    if (reorder != NULL)
        dnnl_primitive_destroy(reorder);
    if (descriptor != NULL)
        dnnl_primitive_desc_destroy(descriptor);
    if (to != NULL)
        dnnl_memory_destroy(to);
    if (from != NULL)
        dnnl_memory_destroy(from);
    return check(code, "packing weights", error);
}

enum bm_status bm_library_matmul_bind(struct bm_library_matmul *matmul, void *activations, void *outputs,
                                      void *scratch, void *packed, size_t apart, size_t slots,
                                      struct bm_error *error) {
    dnnl_engine_t engine = matmul->library->engine;
    unbind(matmul);
    matmul->slots = bm_alloc(slots, sizeof(dnnl_memory_t));
    if (matmul->slots == NULL)
        return bm_fail(error, BM_NO_MEMORY, "out of memory for %zu sets of weights", slots);
    matmul->slot_count = slots;
    dnnl_status_t code =
        dnnl_memory_create(&matmul->activations_memory, &matmul->activations, engine, activations);
    if (code == dnnl_success)
        code = dnnl_memory_create(&matmul->outputs_memory, &matmul->outputs, engine, outputs);
    if (code == dnnl_success)
        code = dnnl_memory_create(&matmul->scratch_memory, matmul->scratch, engine, scratch);
    for (size_t s = 0; code == dnnl_success && s < slots; s++)
        code = dnnl_memory_create(&matmul->slots[s], matmul->packed, engine, (char *)packed + s * apart);
    return check(code, "dnnl_memory_create", error);
}

enum bm_status bm_library_matmul_run(struct bm_library_matmul *matmul, size_t slot, struct bm_error *error) {
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, matmul->activations_memory},
                                         {DNNL_ARG_WEIGHTS, matmul->slots[slot]},
                                         {DNNL_ARG_DST, matmul->outputs_memory},
                                         {DNNL_ARG_SCRATCHPAD, matmul->scratch_memory}};
    dnnl_status_t code =
        dnnl_primitive_execute(matmul->primitive, matmul->library->stream, BM_COUNT_OF(arguments), arguments);
    if (code == dnnl_success)
        code = dnnl_stream_wait(matmul->library->stream);
    return check(code, "dnnl_primitive_execute", error);
}
