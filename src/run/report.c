#include "run.h"

enum bm_status bm_run_refresh(struct bm_run *run, struct bm_error *error) {
    if (run->control != NULL)
        bm_control_report(run->control, &run->results.host.environment);
    enum bm_status status = bm_run_fill_rows(run, error);
    if (status == BM_OK)
        status = bm_run_fill_ceilings(run, error);
    if (status != BM_OK)
        return status;
    bm_run_flag_devices(run);
    bm_run_fill_utilization(run);
    bm_run_widen_intervals(run);
    return bm_run_fill_summaries(run, error);
}

enum bm_status bm_run_write(struct bm_run *run, struct bm_error *error) {
    struct bm_text text = {0};
    enum bm_status status = bm_run_refresh(run, error);
    if (status == BM_OK && run->options->output != NULL) {
        status = bm_results_format(&run->results, &text, error);
        if (status == BM_OK)
            status = bm_file_write_atomic(run->options->output, text.data, text.length, error);
        bm_text_fini(&text);
    }
    run->last_write_ns = bm_clock_now(&bm_clock_monotonic);
    return status;
}
