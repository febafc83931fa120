/* flow_mamba.c - what flows through Mamba-2. */
#include "flow.h"

#include <stdio.h>

/* What a step leaves for the next one: it reads one value and writes another, turn about, so that what it
 * read can be read again. */
static void link_state(struct bm_flow_build *build, struct bm_flow_node *node, const char *of,
                       enum bm_element element, uint64_t count) {
    const bool decode = build->request->phase == BM_PHASE_DECODE;
    for (unsigned written = !decode; written < 2; written++) {
        char name[32];
        snprintf(name, sizeof name, "%s %u %s", of, build->mixer,
                 (build->position + written) % 2 ? "odd" : "even");
        const unsigned index = bm_flow_value(build, name, element, count);
        if (build->status != BM_OK)
            return;
        build->flow->values[index].content = BM_FLOW_SEEDED;
        build->flow->values[index].rotates = true;
        bm_flow_link(node, written ? "states" : "states before", index);
    }
}

/* Rows of the projection in are [z | x, B, C | steps], inner + channels + heads wide, and begin where vectors
 * do. */
enum { ROW_ALIGNMENT = 64 };
unsigned bm_flow_mamba(struct bm_flow_build *build, unsigned input) {
    const struct bm_model *model = build->model;
    const uint64_t inner = (uint64_t)model->mamba_heads * model->mamba_head_dim;
    const uint64_t channels = inner + 2 * (uint64_t)model->mamba_groups * model->mamba_state;
    const uint64_t wide = inner + channels + model->mamba_heads, batch = build->request->batch;
    const uint64_t width = (wide + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT;
    const enum bm_element element = bm_flow_element(build);
    const unsigned rows = bm_flow_value(build, "in_proj", build->request->dtype->output, build->m * width);
    const unsigned convolved = bm_flow_value(build, "conv", element, build->m * channels);
    const unsigned scanned = bm_flow_value(build, "scan", build->request->dtype->output, build->m * inner);
    const unsigned gated = bm_flow_value(build, "ssm_gate", element, build->m * inner);
    const unsigned normalised = bm_flow_value(build, "ssm_norm", element, build->m * inner);
    build->mixer++;

    struct bm_flow_node *node = bm_flow_add(build, "in_proj");
    bm_flow_link(node, "activations", input);
    bm_flow_link_part(node, "outputs", rows, 0, build->m > 1 ? width : 0, 0);
    node = bm_flow_add(build, "conv");
    bm_flow_link_part(node, "inputs", rows, inner, width, 0);
    bm_flow_link(node, "outputs", convolved);
    link_state(build, node, "inputs", element, batch * (model->mamba_conv - 1) * channels);
    node = bm_flow_add(build, "scan");
    bm_flow_link(node, "rows", convolved);
    bm_flow_link_part(node, "steps", rows, inner + channels, width, 0);
    bm_flow_link(node, "outputs", scanned);
    link_state(build, node, "states", BM_ELEMENT_F32, batch * inner * model->mamba_state);
    node = bm_flow_add(build, "ssm_gate");
    bm_flow_link_part(node, "gates", rows, 0, width, 0);
    bm_flow_link(node, "ups", scanned);
    bm_flow_link(node, "outputs", gated);
    node = bm_flow_add(build, "ssm_norm");
    bm_flow_link(node, "inputs", gated);
    bm_flow_link(node, "outputs", normalised);
    bm_flow_link(node, "weights", bm_flow_gains(build, inner));
    return bm_flow_matmul(build, "out_proj", normalised);
}
