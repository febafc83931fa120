#include "bm/flow.h"

#include <stdlib.h>

void bm_flow_fini(struct bm_flow *flow) {
    free(flow->cases);
    free(flow->values);
    free(flow->nodes);
    *flow = (struct bm_flow){0};
}

double bm_flow_flops(const struct bm_flow *flow) {
    double sum = 0;
    for (size_t i = 0; i < flow->node_count; i++) {
        const struct bm_case *the_case = &flow->cases[flow->nodes[i].case_index];
        sum += the_case->workload->flops(the_case);
    }
    return sum;
}
