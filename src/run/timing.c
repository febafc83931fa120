#include "run.h"

enum { WRITE_INTERVAL_S = 2 };

static enum bm_status run_block(void *context, size_t series, uint64_t launches, struct bm_timing *timing,
                                struct bm_error *error) {
    struct bm_run *run = context;
    const struct bm_run_item *item = &run->plan->items[run->timed[series]];
    const struct bm_device *device = &run->inventory->devices[item->device];
    struct bm_block block;
    char pci[16] = "";
    /* The sampler visits every case once whatever the budget. */
    if (run->series[series].count == 0 && !run->again &&
        bm_run_is_late(run, 1 - bm_run_hold_seconds(run) / run->plan->budget_s))
        return bm_run_leave_out(run, "measured", error);
    if (device->has_pci)
        bm_pci_format(&device->pci, pci);
    bm_control_target(run->control, device->is_gpu, pci);
    enum bm_status status = bm_run_endpoint(run, item)->backend->run(run->states[run->timed[series]].prepared,
                                                                     launches, &block, error);
    *timing = (struct bm_timing){
        .start_ns = block.start_ns, .host_ns = block.host_ns, .device_ns = block.device_ns};
    return status;
}

static bool on_block(void *context, size_t series, size_t pass, double seconds_left) {
    struct bm_run *run = context;
    bm_run_mark_references(run);
    if (run->observer != NULL) {
        char key[BM_KEY_SIZE];
        bm_case_key(&run->plan->items[run->timed[series]].the_case, key);
        struct bm_run_progress progress = {.stage = pass == 0 ? BM_STAGE_WARM_UP : BM_STAGE_MEASURE,
                                           .done = 0,
                                           .total = run->timed_count,
                                           .key = key,
                                           .seconds_left = seconds_left};
        for (size_t i = 0; i < run->timed_count; i++)
            progress.done += pass == 0 ? i < series : run->series[i].done;
        run->observer->progress(run->observer->context, &progress);
    }
    if (run->options->output != NULL && bm_run_seconds_since(run->last_write_ns) >= WRITE_INTERVAL_S &&
        bm_run_write(run, &run->write_error) != BM_OK)
        return false;
    return !bm_run_stop_requested(run);
}

/* The coarsest timer of the endpoints decides for all: blocks are compared across them. */
static uint64_t timer_resolution(const struct bm_run *run) {
    uint64_t coarsest = 1;
    for (size_t i = 0; i < run->timed_count; i++) {
        const struct bm_endpoint *endpoint = bm_run_endpoint(run, &run->plan->items[run->timed[i]]);
        if (endpoint->timer_resolution_ns > coarsest)
            coarsest = endpoint->timer_resolution_ns;
    }
    return coarsest;
}

/* Measures what is not done within budget_s, every round into the series. */
static enum bm_status sample(struct bm_run *run, double budget_s, uint64_t elapsed_ns,
                             struct bm_error *error) {
    struct bm_sampler_options options = bm_sampler_defaults;
    options.seed = run->options->seed;
    options.budget_s = budget_s > 0 ? budget_s : 0;
    options.target_half_width = run->plan->target_half_width;
    options.elapsed_ns = elapsed_ns;
    options.timer_resolution_ns = timer_resolution(run);
    struct bm_work work = {.run = run_block, .context = run};
    struct bm_monitor monitor = bm_control_monitor(run->control);
    struct bm_observer observer = {.progress = on_block, .context = run};
    bm_run_mark_references(run);
    enum bm_status status = bm_sampler_run(&options, &bm_clock_monotonic, &work, &monitor, &observer,
                                           run->series, run->timed_count, error);
    bm_run_tag_levels(run);
    if (run->write_error.status != BM_OK && error != NULL)
        *error = run->write_error; /* the observer stopped the sampler because of it */
    return run->write_error.status != BM_OK ? run->write_error.status : status;
}

/* Rows above their ceiling once more, beside the ceilings that judged them: what was a disturbance is gone
 * then, and what still stands above its ceiling is invalid. Everything else counts as done. Ceilings keep
 * their rounds, which the other rows' are paired with. */
static bool select_implausible(struct bm_run *run) {
    bool any = false;
    for (size_t i = 0; i < run->timed_count; i++) {
        bool again = run->results.rows[run->timed[i]].status == BM_ROW_INVALID;
        for (size_t k = 0; !again && k < run->plan->item_count; k++)
            again = run->results.rows[k].status == BM_ROW_INVALID &&
                    bm_run_judges(run, run->timed[i], &run->results.rows[k]);
        run->series[i].done = !again;
        any |= again;
    }
    for (size_t i = 0; any && i < run->timed_count; i++)
        if (!run->series[i].done && !run->plan->items[run->timed[i]].is_ceiling)
            run->series[i].count = run->series[i].visits = 0;
    return any;
}

enum bm_status bm_run_time(struct bm_run *run, struct bm_error *error) {
    uint64_t elapsed_ns = 0;
    for (size_t i = 0; i < run->plan->item_count; i++)
        if (run->plan->items[i].measured_as == i && run->states[i].status == BM_ROW_OK)
            run->timed[run->timed_count++] = i;
    enum bm_status status = bm_control_create(&bm_control_defaults, &run->control, error);
    if (status == BM_OK && run->options->resume != NULL)
        status = bm_run_resume_rounds(run, &elapsed_ns, error);
    if (status == BM_OK)
        status =
            sample(run, run->plan->budget_s - bm_run_seconds_since(run->start_ns) - bm_run_hold_seconds(run),
                   elapsed_ns, error);
    if (status == BM_OK)
        status = bm_run_refresh(run, error);
    if (status == BM_OK && select_implausible(run)) {
        elapsed_ns += bm_clock_now(&bm_clock_monotonic) - run->start_ns;
        run->again = true;
        status =
            sample(run, run->plan->budget_s / 12, elapsed_ns, error); /* within a tenth over the budget */
    }
    bm_run_tell_left_out(run);
    bm_run_tell_levels(run);
    return status == BM_OK ? bm_run_hold(run, &bm_clock_monotonic, error) : status;
}
