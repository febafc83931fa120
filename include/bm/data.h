/* bm/data.h - floor 1: our input files: models, datasheets, suites, kernel parameters.
 *
 * Readers match whole keys, reject unknown ones, bound every size and name the file, the place in it (a JSON
 * path such as $.layers) and the mend. All strings are copied: nothing points into the parsed file. */
#ifndef BM_DATA_H
#define BM_DATA_H

#include "bm/base.h"

#define BM_ID_SIZE 48

/* ---- models: one file a model, bench/models/ID.json ---- */

enum bm_attention_kind { BM_ATTENTION_MHA, BM_ATTENTION_GQA, BM_ATTENTION_MLA };
enum bm_ffn_kind { BM_FFN_SWIGLU, BM_FFN_GELU };
/* RMS normalisation of each head of queries and keys, before their rotary embedding (Qwen3) or after it
 * (Tencent's Hunyuan). */
enum bm_qk_norm { BM_QK_NORM_NONE, BM_QK_NORM_BEFORE_ROPE, BM_QK_NORM_AFTER_ROPE };

/* Shapes of a decoder-only language model. Fields that a kind of model lacks are 0. */
struct bm_model {
    char id[BM_ID_SIZE], name[80], family[80], released[16]; /* released: "2023-07" */
    char aliases[4][BM_ID_SIZE];
    unsigned alias_count;
    uint32_t layers, hidden, heads, kv_heads, head_dim; /* head_dim: of queries and keys; MLA: nope + rope */
    enum bm_attention_kind attention;
    enum bm_ffn_kind ffn;
    uint32_t intermediate; /* of a dense FFN */
    uint32_t dense_layers; /* leading layers with a dense FFN in a mixture-of-experts model */
    uint32_t experts, experts_per_token, shared_experts, expert_intermediate;
    uint32_t expert_groups, expert_groups_used; /* group-limited routing, 0: none */
    uint32_t vocabulary, max_context, learned_positions;
    bool tied_embeddings;
    uint32_t q_lora, kv_lora, qk_nope_dim, qk_rope_dim, v_dim; /* MLA */
    uint32_t attention_layers, mamba_layers, ffn_layers;       /* hybrids; 0: one of each per layer */
    uint32_t mamba_state, mamba_heads, mamba_head_dim, mamba_groups, mamba_chunk, mamba_conv;
    uint32_t kv_shared_layers; /* cross-layer attention: this many layers share one KV cache; 0 and 1: none */
    uint32_t sliding_window;   /* tokens, in every second layer; 0: none */
    bool attention_sinks;      /* a learned logit for each query head of each layer (gpt-oss) */
    enum bm_qk_norm qk_norm;
    char biases[48];                      /* of which projections: "", "all", "qkv", "qkvo+experts+router" */
    bool shapes_verified;                 /* every shape field was read in a named source */
    double parameters, active_parameters; /* as published, 0: unknown */
    char source[320], note[1024];
};

/* name: an id or alias of bench/models, or a path to a file (it contains '/' or ends in ".json"): one of
 * ours, or the config.json of a Llama, Qwen, Mixtral, DeepSeek, gpt-oss or Hunyuan model as Hugging Face has
 * it, whose id is then the name of its folder. */
enum bm_status bm_model_load(const char *name, struct bm_model *model,
                             struct bm_error *error) BM_CHECK_RESULT;
/* All of bench/models, sorted by id. Caller frees *models. */
enum bm_status bm_model_list(struct bm_model **models, size_t *count, struct bm_error *error) BM_CHECK_RESULT;

/* ---- datasheets: one file a device, bench/devices/ID.json ---- */

/* How far a figure can be trusted; only the first two may be a denominator. */
enum bm_fact_status { BM_FACT_UNKNOWN, BM_FACT_VERIFIED, BM_FACT_DERIVED, BM_FACT_RECALLED };
const char *bm_fact_status_name(enum bm_fact_status status);

struct bm_peak {
    char pipe[24]; /* "f32_vector", "f16_matrix", ...; dense, FMA = 2 */
    double gflops; /* GFLOP/s or GOP/s of one OpenCL device */
    enum bm_fact_status status;
};

/* What one OpenCL device (a GPU of a K80, a die of an MI250X) or one CPU package has. Unknown figures are 0.
 */
struct bm_datasheet {
    char id[BM_ID_SIZE], name[96], vendor[32], architecture[64], released[16];
    bool is_cpu;
    uint32_t compute_units, boost_mhz;
    double memory_gb, bandwidth_gbs, tdp_watts;
    enum bm_fact_status bandwidth_status;
    struct bm_peak peaks[16];
    unsigned peak_count;
    struct bm_peak per_cycle[8]; /* of a CPU: FLOP (or OP) per cycle and core, in .gflops; times cores and a
                                    known clock in GHz it is a peak, `derived` at best */
    unsigned per_cycle_count;
    char note[512];
};

/* What is known of a piece of hardware when it is matched. */
struct bm_datasheet_query {
    bool is_cpu;
    const char *name;       /* CL_DEVICE_NAME; for a CPU the model name of the operating system */
    const char *board_name; /* CL_DEVICE_BOARD_NAME_AMD or NULL; tried first */
    unsigned compute_units; /* 0: unknown */
    uint64_t memory_bytes;  /* 0: unknown */
};
struct bm_datasheets; /* opaque: all of bench/devices, parsed and compiled once */
enum bm_status bm_datasheets_open(struct bm_datasheets **sheets, struct bm_error *error) BM_CHECK_RESULT;
void bm_datasheets_close(struct bm_datasheets *sheets);
/* The one matching datasheet (borrowed), or NULL when none or several remain after compute units and memory.
 */
const struct bm_datasheet *bm_datasheets_match(const struct bm_datasheets *sheets,
                                               const struct bm_datasheet_query *query);
size_t bm_datasheets_count(const struct bm_datasheets *sheets);
const struct bm_datasheet *bm_datasheets_get(const struct bm_datasheets *sheets, size_t index);

/* ---- suites: bench/suites/NAME.json ---- */

#define BM_SUITE_AXIS 16 /* values an axis may list */

/* Every combination of the lists is planned; a phase uses the axes that it has (tokens: prefill; context:
 * decode). */
struct bm_suite_entry {
    char models[BM_SUITE_AXIS][256]; /* ids, aliases or paths */
    unsigned model_count;
    char phases[2][16]; /* "prefill", "decode" */
    unsigned phase_count;
    char dtypes[BM_SUITE_AXIS][16];
    unsigned dtype_count;
    char workloads[BM_SUITE_AXIS][16]; /* the only ones that are planned; none listed: all */
    unsigned workload_count;
    char kvs[2][16]; /* of decode: what the KV cache holds, "f16", "int8"; none listed: as the dtype says */
    unsigned kv_count;
    uint32_t batches[BM_SUITE_AXIS], tokens[BM_SUITE_AXIS], contexts[BM_SUITE_AXIS];
    unsigned batch_count, token_count, context_count;
};
struct bm_suite {
    char name[BM_ID_SIZE], description[160];
    double budget_s;          /* default of --budget */
    double target_half_width; /* of a row's 95 % interval, relative; 0: the sampler's default */
    enum bm_suite_ceilings {
        BM_CEILINGS_ALL,
        BM_CEILINGS_JUDGING, /* only those that judge its rows */
        BM_CEILINGS_NONE,    /* its rows are compared with one another, not with limits */
    } ceilings;
    struct bm_suite_entry entries[16];
    unsigned entry_count;
};
/* name: of bench/suites, or a path (it contains '/' or ends in ".json"). */
enum bm_status bm_suite_load(const char *name, struct bm_suite *suite,
                             struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_suite_list(struct bm_suite **suites, size_t *count, struct bm_error *error) BM_CHECK_RESULT;

/* ---- kernel parameters: bench/tuned/KIND.json ---- */

struct bm_parameter {
    char name[24]; /* as the kernel's #ifndef names it, e.g. "TILE_M" */
    int64_t value;
};
struct bm_parameters {
    struct bm_parameter items[24];
    unsigned count;
};
void bm_parameters_set(struct bm_parameters *parameters, const char *name,
                       int64_t value); /* adds or replaces */
int64_t bm_parameters_get(const struct bm_parameters *parameters, const char *name, int64_t fallback);
/* Of names and values, in any order: equal parameters have equal ones. */
uint64_t bm_parameters_hash(const struct bm_parameters *parameters);
/* The shipped parameters of (kind "cpu" or "gpu", workload, dtype); BM_NOT_FOUND where bench/tuned has none.
 */
enum bm_status bm_tuned_load(const char *kind, const char *workload, const char *dtype,
                             struct bm_parameters *parameters, struct bm_error *error) BM_CHECK_RESULT;

#endif
