/* Threads that waited for a CPU: run delay of our own, pressure of the system. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "system.h"

TestSuite(waiting, .init = system_begin, .fini = system_end);

enum { BLOCK_NS = 20000000, PERCENT_NS = BLOCK_NS / 100, WAKE_UP_NS = 50000, MS = 1000000 };

/* What a thread has run and waited so far; nothing else happens to it. */
static struct { uint64_t ran_ns, waited_ns, turns; } threads[301];

static int thread_id(unsigned thread) { /* 0: the caller */
    return thread == 0 ? (int)gettid() : 1000000 + (int)thread;
}

static void write_thread(unsigned thread) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", thread_id(thread));
    system_write(path, "%llu %llu %llu\n", (unsigned long long)threads[thread].ran_ns,
                 (unsigned long long)threads[thread].waited_ns, (unsigned long long)threads[thread].turns);
}

static void run_thread(unsigned thread, uint64_t ran_ns, uint64_t waited_ns, uint64_t turns) {
    threads[thread].ran_ns += ran_ns;
    threads[thread].waited_ns += waited_ns;
    threads[thread].turns += turns;
    write_thread(thread);
}

/* The caller and two workers. */
static struct bm_control *three_threads(void) {
    for (unsigned i = 0; i < 3; i++)
        run_thread(i, 123456789, 5 * BLOCK_NS, 42);
    system_clock.step_ns = 0; /* blocks are as long as said */
    return system_control(NULL);
}

/* What the next block does to the caller and to worker 1; worker 2 runs through. */
static uint64_t caller_runs, caller_waits, worker_runs, worker_waits, worker_turns;
static void work(void) {
    run_thread(0, caller_runs, caller_waits, 1);
    run_thread(1, worker_runs, worker_waits, worker_turns);
    run_thread(2, worker_runs > 0 ? BLOCK_NS : 0, 0, 1);
}

static unsigned block(struct bm_control *control) {
    return system_block(control, BLOCK_NS, work);
}

static void a_quiet_block(void) {
    caller_runs = MS / 10;
    caller_waits = worker_waits = 0;
    worker_runs = BLOCK_NS;
    worker_turns = 1;
}

Test(waiting, a_worker_that_waited_tags_a_block) {
    struct bm_control *control = three_threads();
    a_quiet_block();
    cr_expect_eq(block(control), 0u);
    worker_waits = caller_runs + WAKE_UP_NS + 2 * PERCENT_NS;
    cr_expect_eq(block(control), 0u, "at the threshold");
    worker_waits++;
    cr_expect_eq(block(control), (unsigned)BM_FLAG_CONTAMINATED);
    worker_waits = 0;
    cr_expect_eq(block(control), 0u, "what it waited before counts no more");
    cr_expect_eq(system_report(control, "run_delay").checked, 4u);
    cr_expect_eq(system_report(control, "run_delay").tagged, 1u);
    bm_control_destroy(control);
}

Test(waiting, a_caller_that_submits_may_wait_for_its_workers) {
    struct bm_control *control = three_threads();
    a_quiet_block();
    caller_waits = 10 * MS;
    cr_expect_eq(block(control), 0u);
    bm_control_destroy(control);
}

Test(waiting, a_worker_may_wait_for_the_caller) {
    struct bm_control *control = three_threads();
    a_quiet_block();
    caller_runs = 2 * MS;
    worker_waits = 2 * MS;
    cr_expect_eq(block(control), 0u);
    caller_runs = MS / 10;
    run_thread(0, 2 * MS, 0, 1); /* between the blocks */
    cr_expect_eq(block(control), 0u, "the wait began before the block");
    cr_expect_eq(block(control), (unsigned)BM_FLAG_CONTAMINATED, "this one did not");
    run_thread(0, 1000 * MS, 0, 1);
    worker_waits = 5 * MS;
    cr_expect_eq(block(control), (unsigned)BM_FLAG_CONTAMINATED, "nobody waits that long for one turn");
    bm_control_destroy(control);
}

Test(waiting, a_caller_that_works_must_not_wait) {
    run_thread(0, 5, 5, 5);
    system_clock.step_ns = 0;
    struct bm_control *control = system_control(NULL);
    a_quiet_block();
    worker_runs = 0;
    bm_control_target(control, true, ""); /* the work is elsewhere */
    caller_waits = WAKE_UP_NS + 2 * PERCENT_NS;
    cr_expect_eq(block(control), 0u);
    caller_waits++;
    cr_expect_eq(block(control), (unsigned)BM_FLAG_CONTAMINATED);
    worker_runs = caller_runs = BLOCK_NS; /* it is one of the workers */
    bm_control_target(control, false, "");
    cr_expect_eq(block(control), (unsigned)BM_FLAG_CONTAMINATED);
    bm_control_destroy(control);
}

Test(waiting, waking_up_takes_its_time) {
    struct bm_control *control = three_threads();
    a_quiet_block();
    worker_turns = 200;
    worker_waits = 200 * WAKE_UP_NS;
    cr_expect_eq(block(control), 0u);
    worker_turns = 100;
    cr_expect_eq(block(control), (unsigned)BM_FLAG_CONTAMINATED);
    bm_control_destroy(control);
}

Test(waiting, what_happens_between_blocks_does_not_count) {
    struct bm_control *control = three_threads();
    a_quiet_block();
    block(control);
    run_thread(1, 0, 10 * BLOCK_NS, 1);
    cr_expect_eq(block(control), 0u);
    bm_control_destroy(control);
}

Test(waiting, a_long_block_bears_more) {
    struct bm_control *control = three_threads();
    a_quiet_block();
    worker_waits = 50 * PERCENT_NS;
    cr_expect_eq(system_block(control, 100 * (uint64_t)BLOCK_NS, work), 0u);
    cr_expect_eq(block(control), (unsigned)BM_FLAG_CONTAMINATED);
    bm_control_destroy(control);
}

Test(waiting, threads_come_and_go) {
    char path[64];
    run_thread(0, 5, 5, 5);
    struct bm_control *control = system_control(NULL);
    struct bm_monitor monitor = bm_control_monitor(control);
    a_quiet_block();
    cr_expect_eq(block(control), 0u); /* the workers come within it */
    monitor.pass(monitor.context);
    worker_waits = 10 * PERCENT_NS;
    cr_expect_eq(block(control), (unsigned)BM_FLAG_CONTAMINATED);
    for (unsigned i = 1; i <= 2; i++) {
        snprintf(path, sizeof path, "/proc/self/task/%d", thread_id(i));
        system_remove(path);
    }
    monitor.pass(monitor.context);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    snprintf(path, sizeof path, "/proc/self/task/%d", thread_id(0));
    system_remove(path);
    monitor.pass(monitor.context);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "none is left");
    bm_control_destroy(control);
}

static unsigned waiting_thread;
static void one_waits(void) {
    run_thread(waiting_thread, BLOCK_NS / 2, BLOCK_NS / 2, 1);
}

Test(waiting, of_many_threads_some_are_read) {
    for (unsigned i = 0; i <= 300; i++)
        run_thread(i, 5, 5, 5);
    struct bm_control *control = system_control(NULL);
    system_block(control, BLOCK_NS, NULL);
    unsigned tagged = 0;
    for (waiting_thread = 1; waiting_thread <= 300; waiting_thread++)
        tagged += system_block(control, BLOCK_NS, one_waits) != 0;
    cr_expect_geq(tagged, 56, "%u", tagged);
    cr_expect_leq(tagged, 64, "%u", tagged);
    waiting_thread = 0;
    cr_expect_neq(system_block(control, BLOCK_NS, one_waits), 0u, "the caller always is");
    bm_control_destroy(control);
}

/* A library in a process of its own, started by the caller: /proc/2000000, of two threads. */
static struct { uint64_t ran_ns, waited_ns; } worker_threads[2];

static void write_children(const char *children) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", thread_id(0));
    system_write(path, "%s", children);
}

static void run_worker_thread(unsigned thread, uint64_t ran_ns, uint64_t waited_ns) {
    char path[64];
    snprintf(path, sizeof path, "/proc/2000000/task/%u/schedstat", 2000000 + thread);
    worker_threads[thread].ran_ns += ran_ns;
    worker_threads[thread].waited_ns += waited_ns;
    system_write(path, "%llu %llu 7\n", (unsigned long long)worker_threads[thread].ran_ns,
                 (unsigned long long)worker_threads[thread].waited_ns);
}

static void work_elsewhere(void) {
    run_thread(0, caller_runs, caller_waits, 1);
    run_worker_thread(0, BLOCK_NS, 0);
    run_worker_thread(1, worker_runs, worker_waits);
}

Test(waiting, a_thread_of_a_process_that_works_for_us_tags_a_block) {
    run_thread(0, 5, 5, 5);
    run_worker_thread(0, 5, 5);
    run_worker_thread(1, 5, 5);
    write_children("2000000 ");
    system_clock.step_ns = 0;
    struct bm_control *control = system_control(NULL);
    struct bm_monitor monitor = bm_control_monitor(control);
    monitor.pass(monitor.context);
    a_quiet_block();
    caller_waits = 10 * MS; /* for the worker */
    cr_expect_eq(system_block(control, BLOCK_NS, work_elsewhere), 0u);
    worker_runs = BLOCK_NS / 2;
    worker_waits = BLOCK_NS / 2;
    cr_expect_eq(system_block(control, BLOCK_NS, work_elsewhere), (unsigned)BM_FLAG_CONTAMINATED);
    worker_waits = 0;
    cr_expect_eq(system_block(control, BLOCK_NS, work_elsewhere), 0u);
    cr_expect_str_empty(system_report(control, "run_delay").detail);

    write_children(""); /* another process has its number now */
    caller_waits = 0;
    monitor.pass(monitor.context);
    worker_waits = BLOCK_NS / 2;
    cr_expect_eq(system_block(control, BLOCK_NS, work_elsewhere), 0u);
    bm_control_destroy(control);
}

Test(waiting, children_that_tell_nothing_are_no_harm) {
    static const char *const contents[] = {"",
                                           "\n",
                                           "garbage",
                                           "5 x",
                                           "999999999999999999999999 2000001",
                                           "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 2000000"};
    run_thread(0, 5, 5, 5);
    run_worker_thread(0, 5, 5);
    run_worker_thread(1, 5, 5);
    for (size_t i = 0; i < BM_COUNT_OF(contents); i++) {
        write_children(contents[i]);
        struct bm_control *control = system_control(NULL);
        cr_expect_eq(block(control), 0u, "%s", contents[i]);
        bm_control_destroy(control);
    }
}

Test(waiting, a_kernel_that_lists_no_children_is_said) {
    run_thread(0, 5, 5, 5);
    struct bm_control *control = system_control(NULL);
    cr_expect(system_report(control, "run_delay").available);
    cr_expect_not_null(strstr(system_report(control, "run_delay").detail, "CONFIG_PROC_CHILDREN"));
    bm_control_destroy(control);
}

Test(waiting, unreadable_figures_tag_nothing) {
    static const char *const contents[] = {
        "",         "\n",    "garbage",
        "5",        "5 5",   "5 x 5",
        "-5 -5 -5", "5 0 1", "99999999999999999999 99999999999999999999 99999999999999999999"};
    struct bm_control *control = three_threads();
    char path[64];
    for (unsigned thread = 0; thread < 2; thread++) {
        snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", thread_id(thread));
        for (size_t i = 0; i < BM_COUNT_OF(contents); i++) {
            system_write(path, "%s", contents[i]);
            cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "%s", contents[i]);
        }
        write_thread(thread);
    }
    static char huge[100000];
    for (size_t i = 0; i < sizeof huge; i++)
        huge[i] = '7';
    system_write_bytes(path, huge, sizeof huge);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    bm_control_destroy(control);
}

static void go_back(void) {
    threads[1].waited_ns = threads[1].ran_ns = 7;
    write_thread(1);
}

Test(waiting, counters_that_go_back_tag_nothing) {
    struct bm_control *control = three_threads();
    cr_expect_eq(system_block(control, BLOCK_NS, go_back), 0u);
    bm_control_destroy(control);
}

Test(waiting, a_kernel_without_run_delay_is_said) {
    system_write("/proc/self/task/11/comm", "x\n");
    struct bm_control *control = system_control(NULL);
    cr_expect_not(system_report(control, "run_delay").available);
    cr_expect_neq(system_report(control, "run_delay").detail[0], '\0');
    bm_control_destroy(control);
}

/* ---- pressure ---- */

static void write_pressure(uint64_t total_us) {
    system_write("/proc/pressure/cpu",
                 "some avg10=1.00 avg60=2.00 avg300=3.00 total=%llu\n"
                 "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
                 (unsigned long long)total_us);
}

Test(waiting, pressure_stands_in_for_run_delay) {
    write_pressure(1000);
    struct bm_control *control = system_control(NULL);
    cr_expect(system_report(control, "pressure").available);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    system_clock.now_ns += 4000000000;
    write_pressure(1000 + 3000000); /* three of four seconds */
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), (unsigned)BM_FLAG_CONTAMINATED);
    system_clock.now_ns += 4000000000;
    write_pressure(1000 + 3000000 + 100000);
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    bm_control_destroy(control);
}

Test(waiting, pressure_of_a_quarter_of_the_time_is_borne) {
    uint64_t total = 1000;
    write_pressure(total);
    system_clock.step_ns = 0;
    struct bm_control *control = system_control(NULL);
    system_block(control, BLOCK_NS, NULL);
    for (int i = 0; i < 2; i++) {
        system_clock.now_ns += 4000000000 - BLOCK_NS;
        write_pressure(total += i == 0 ? 990000 : 1010000); /* of four seconds */
        cr_expect_eq(system_block(control, BLOCK_NS, NULL), i == 0 ? 0u : (unsigned)BM_FLAG_CONTAMINATED);
    }
    bm_control_destroy(control);
}

Test(waiting, pressure_is_not_read_where_run_delay_is) {
    write_pressure(1000);
    write_thread(0);
    struct bm_control *control = system_control(NULL);
    cr_expect_not(system_report(control, "pressure").available);
    cr_expect(system_report(control, "run_delay").available);
    bm_control_destroy(control);
}

Test(waiting, pressure_that_says_nothing_is_not_available_or_tags_nothing) {
    static const char *const contents[] = {"", "garbage\n", "some total=x\n", "full avg10=0 total=5\n",
                                           "some "};
    for (size_t i = 0; i < BM_COUNT_OF(contents); i++) {
        system_write("/proc/pressure/cpu", "%s", contents[i]);
        struct bm_control *control = system_control(NULL);
        cr_expect_not(system_report(control, "pressure").available, "%s", contents[i]);
        bm_control_destroy(control);
    }
    write_pressure(1000000000);
    struct bm_control *control = system_control(NULL);
    for (size_t i = 0; i < BM_COUNT_OF(contents); i++) {
        system_clock.now_ns += 4000000000;
        system_write("/proc/pressure/cpu", "%s", contents[i]);
        cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u, "%s", contents[i]);
    }
    system_clock.now_ns += 4000000000;
    write_pressure(5); /* backwards */
    cr_expect_eq(system_block(control, BLOCK_NS, NULL), 0u);
    bm_control_destroy(control);
}
