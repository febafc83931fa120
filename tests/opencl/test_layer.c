/* What the fault layer shows, and that the module sees it: devices as other machines have them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "scenario.h"

static struct scenario_layer layer;

static void open_layer(void) {
    scenario_layer_open(&layer);
}

TestSuite(layer, .init = open_layer);

static struct bm_cl_device *list(size_t *count) {
    struct bm_cl_device *devices;
    layer.reset();
    cr_assert_eq(bm_cl_list(&devices, count, NULL), BM_OK);
    cr_assert_geq(*count, 1);
    return devices;
}

Test(layer, shows_a_gpu_on_the_bus) {
    static const struct {
        const char *query;
        unsigned domain;
    } cases[] = {{"khr", 0x10}, {"nv", 0x10}, {"amd", 0}};
    setenv("BM_LAYER_DEVICE_NAME", "  Test GPU 9000 ", 1);
    setenv("BM_LAYER_VENDOR", "NVIDIA Corporation", 1);
    setenv("BM_LAYER_TYPE", "gpu", 1);
    setenv("BM_LAYER_MEMORY", "67108864", 1);
    setenv("BM_LAYER_PCI", "0010:3b:1f.2", 1);
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        size_t count;
        setenv("BM_LAYER_PCI_BY", cases[i].query, 1);
        struct bm_cl_device *devices = list(&count);
        const struct bm_pci_address expected = {cases[i].domain, 0x3b, 0x1f, 2};
        cr_expect_str_eq(devices[0].name, "Test GPU 9000");
        cr_expect_str_eq(devices[0].vendor, "NVIDIA Corporation");
        cr_expect_eq(devices[0].type, CL_DEVICE_TYPE_GPU);
        cr_expect_eq(devices[0].memory_bytes, 67108864);
        cr_expect_eq(devices[0].max_allocation_bytes, 16777216);
        cr_expect(devices[0].has_pci, "%s", cases[i].query);
        cr_expect(bm_pci_equal(&devices[0].pci, &expected), "%s", cases[i].query);
        free(devices);
    }
}

Test(layer, keeps_the_memory_that_it_shows) {
    const uint64_t quarter = 16777216;
    struct bm_cl_queue queue;
    cl_mem buffers[5] = {NULL};
    size_t count;
    setenv("BM_LAYER_MEMORY", "67108864", 1);
    struct bm_cl_device *devices = list(&count);
    struct bm_error error = {0};
    cr_assert_eq(bm_cl_queue_open(&devices[0], &queue, &error), BM_OK, "%s", error.message);
    cr_assert_eq(bm_cl_buffer_create(&queue, quarter + 1, &buffers[0], &error), BM_NO_MEMORY);
    cr_assert_eq(error.native, CL_INVALID_BUFFER_SIZE);
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(bm_cl_buffer_create(&queue, quarter, &buffers[i], NULL), BM_OK);
    error = (struct bm_error){0};
    cr_assert_eq(bm_cl_buffer_create(&queue, 1, &buffers[4], &error), BM_NO_MEMORY);
    cr_assert_eq(error.native, CL_MEM_OBJECT_ALLOCATION_FAILURE);
    clReleaseMemObject(buffers[3]);
    cr_assert_eq(bm_cl_buffer_create(&queue, quarter, &buffers[3], NULL), BM_OK,
                 "released memory is free again");
    for (unsigned i = 0; i < 4; i++)
        clReleaseMemObject(buffers[i]);
    bm_cl_queue_close(&queue);
    free(devices);
}

Test(layer, shows_a_cpu_and_a_gpu_that_both_work) {
    struct scenario_outcome outcome;
    size_t alone, count;
    free(list(&alone));
    setenv("BM_LAYER_TWO_PLATFORMS", "NVIDIA CUDA", 1);
    setenv("BM_LAYER_TARGET", "second", 1);
    setenv("BM_LAYER_TYPE", "gpu", 1);
    setenv("BM_LAYER_DEVICE_NAME", "Test GPU", 1);
    struct bm_cl_device *devices = list(&count);
    cr_assert_gt(count, alone);
    const struct bm_cl_device *shown = &devices[alone]; /* the first device of the second showing */
    cr_assert_str_neq(devices[0].backend, "opencl/nvidia");
    cr_assert_str_neq(devices[0].name, "Test GPU");
    cr_assert_str_eq(shown->backend, "opencl/nvidia");
    cr_assert_str_eq(shown->name, "Test GPU");
    cr_assert_eq(shown->type, CL_DEVICE_TYPE_GPU);
    cr_assert_neq(shown->id, devices[0].id);
    cr_assert_neq(shown->platform, devices[0].platform);
    free(devices);
    for (size_t which = 0; which <= alone; which++) {
        scenario_run(which, &outcome);
        cr_assert_eq(outcome.status, BM_OK, "%s", outcome.error.message);
        cr_assert(outcome.right);
        cr_assert_eq(layer.live(), 0);
    }
}

Test(layer, numbers_a_second_platform_of_one_name) {
    size_t count;
    char first[48], expected[64];
    struct bm_cl_device *devices = list(&count);
    bm_string_set(first, sizeof first, devices[0].backend);
    setenv("BM_LAYER_TWO_PLATFORMS", devices[0].platform_name, 1);
    free(devices);
    devices = list(&count);
    snprintf(expected, sizeof expected, "%s-2", first);
    cr_assert_str_eq(devices[0].backend, first);
    cr_assert_str_eq(devices[count - 1].backend, expected);
    free(devices);
}

Test(layer, spoils_what_is_read) {
    struct scenario_outcome outcome;
    static const struct {
        const char *order;
        bool right;
    } cases[] = {{"1", false}, {"1:255", false}, {"1:0", false}, {"2", true}, {"1+", false}, {"2+", true}};
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        setenv("BM_LAYER_SPOIL", cases[i].order, 1);
        layer.reset();
        scenario_run(0, &outcome);
        cr_expect_eq(outcome.status, BM_OK);
        cr_expect_eq(outcome.right, cases[i].right, "%s", cases[i].order);
    }
}

/* Runs the lister with one more variable and returns wait's status. */
static int run_lister(const char *variable, const char *value) {
    const char *program = getenv("BM_LISTER");
    cr_assert_not_null(program, "run through ctest, which sets BM_LISTER");
    pid_t child = fork();
    if (child == 0) {
        setenv(variable, value, 1);
        if (freopen("/dev/null", "w", stderr) != NULL)
            execl(program, program, (char *)NULL);
        _exit(126);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

Test(program, counts_are_written_at_exit) {
    char path[] = "/tmp/bm-layer-XXXXXX", line[96];
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(run_lister("BM_LAYER_COUNT", path), 0);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    bool platforms = false, live = false;
    while (fgets(line, sizeof line, file) != NULL) {
        platforms |= strcmp(line, "clGetPlatformIDs 1\n") == 0;
        live |= strncmp(line, "live", 4) == 0;
    }
    fclose(file);
    remove(path);
    cr_assert(platforms);
    cr_assert_not(live);
}

Test(program, orders_that_are_not_understood_stop_it) {
    static const char *const orders[][2] = {
        {"BM_LAYER_FAIL", "clNoSuchCall:1"}, {"BM_LAYER_FAIL", "clFinish"},
        {"BM_LAYER_FAIL", "clFinish:0"},     {"BM_LAYER_FAIL", "clFinish:1:-5oops"},
        {"BM_LAYER_SPOIL", "first"},         {"BM_LAYER_TYPE", "fpga"},
        {"BM_LAYER_PCI", "3b:00.0"},         {"BM_LAYER_PCI", "0000:3b:00.0 here"},
        {"BM_LAYER_PCI_BY", "intel"},        {"BM_LAYER_MEMORY", "64M"},
        {"BM_LAYER_TARGET", "third"},
    };
    for (size_t i = 0; i < BM_COUNT_OF(orders); i++) {
        int status = run_lister(orders[i][0], orders[i][1]);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s=%s", orders[i][0], orders[i][1]);
    }
    cr_assert_eq(run_lister("BM_LAYER_FAIL", "clFinish:1+:-5,clFlush:2"), 0);
    int status = run_lister("BM_LAYER_FAIL", "clGetPlatformIDs:1");
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}
