/* The parts of grouped_gemm: routing (routing.c), its plan (grouped_plan.c), its reference (grouped_check.c).
 */
#ifndef BM_WORKLOAD_GROUPED_H
#define BM_WORKLOAD_GROUPED_H

#include "gemm.h"

/* Its tensors are those of gemm and, before the optional ones, the routing table. */
enum { BM_GROUPED_ROUTING = BM_GEMM_FIRST_OPTIONAL, BM_GROUPED_FIRST_OPTIONAL };

/* How rows are cut: tiles of tile_rows belong to one expert each, blocks of up to block_tiles tiles too. The
 * numbers of both are the most that any routing needs. */
struct bm_grouped_cut {
    uint64_t tile_rows, block_tiles, tiles, blocks;
};
struct bm_grouped_cut bm_grouped_cut(const struct bm_case *c, const struct bm_parameters *parameters);

/* The table, as the kernel reads it, of tiles x tile_rows = R rows: for each the row of the activations and,
 * R further, of the outputs; from 2 R on for each block expert, first tile, tiles. -1: unused. */
enum { BM_BLOCK_EXPERT, BM_BLOCK_FIRST_TILE, BM_BLOCK_TILES, BM_BLOCK_FIELDS };
static inline uint64_t bm_grouped_rows(const struct bm_grouped_cut *cut) {
    return cut->tiles * cut->tile_rows;
}
static inline uint64_t bm_grouped_table(const struct bm_grouped_cut *cut) {
    return 2 * bm_grouped_rows(cut) + BM_BLOCK_FIELDS * cut->blocks;
}

static inline uint64_t bm_routed_pairs(const struct bm_case *c) {
    return c->m * c->top_k;
}
/* chosen[token * top_k + i], i < top_k: the experts of each token, all different. */
enum bm_status bm_route(const struct bm_case *c, uint64_t seed, uint64_t draw, uint32_t *chosen,
                        struct bm_error *error) BM_CHECK_RESULT;

/* row_of[token * top_k + i]: the row of a grouped product's outputs that is the i-th chosen expert's of that
 * token; the rows of expert e, in the order of their tokens, are first[e] to first[e + 1] - 1. */
enum bm_status bm_route_rows(const struct bm_case *c, uint64_t seed, uint64_t draw, uint64_t *first,
                             uint32_t *row_of, struct bm_error *error) BM_CHECK_RESULT;
/* BM_INVALID where experts, groups and routing make no sense. */
enum bm_status bm_routing_validate(const struct bm_case *c, struct bm_error *error) BM_CHECK_RESULT;

enum bm_status bm_grouped_plan(const struct bm_case *c, const struct bm_target *target,
                               const struct bm_parameters *given, struct bm_plan *plan,
                               struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_grouped_fill(const struct bm_case *c, const struct bm_plan *plan, unsigned t, uint64_t seed,
                               uint64_t draw, int32_t *table, struct bm_error *error) BM_CHECK_RESULT;
uint64_t bm_grouped_check_count(const struct bm_case *c, const struct bm_plan *plan);
enum bm_status bm_grouped_check(const struct bm_case *c, const struct bm_plan *plan,
                                const struct bm_operands *operands, uint64_t seed, uint64_t index,
                                struct bm_check *check, struct bm_error *error) BM_CHECK_RESULT;

#endif
