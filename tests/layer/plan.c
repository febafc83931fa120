/* The environment's orders, the counts of calls and of living objects. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

#define EXPORT __attribute__((visibility("default")))

static const char *const names[] = {
#define NAME(name) #name,
    FUNCTIONS(NAME)
#undef NAME
};
static const char *const kinds[] = {"context", "queue", "buffer", "program", "kernel", "event"};

enum { MAX_FAILURES = 16 };
static struct failure {
    enum function function;
    long first;
    bool onwards;
    cl_int code;
} failures[MAX_FAILURES];
static unsigned failure_count;

static struct {
    long first; /* 0: never */
    bool onwards, one_word;
    size_t word;
} spoil;

static const char *from_path; /* calls count from when this file exists; NULL: from the start */

struct plan bm_layer_plan;
static atomic_long calls[FUNCTION_COUNT], live[KIND_COUNT];

static void stop(const char *variable, const char *value) {
    fprintf(stderr, "fault layer: %s=%s is not understood; see tests/layer/layer.h\n", variable, value);
    abort();
}

static long take_number(const char **at, const char *variable, const char *value, long minimum) {
    char *end;
    errno = 0;
    long number = strtol(*at, &end, 10);
    if (end == *at || errno != 0 || number < minimum)
        stop(variable, value);
    *at = end;
    return number;
}

static bool take(const char **at, char expected) {
    if (**at != expected)
        return false;
    ++*at;
    return true;
}

static void read_failures(const char *value) {
    static const char variable[] = "BM_LAYER_FAIL";
    failure_count = 0;
    for (const char *at = value; at != NULL && *at != '\0';) {
        if (failure_count == MAX_FAILURES)
            stop(variable, value);
        struct failure *failure = &failures[failure_count++];
        size_t length = strcspn(at, ":");
        unsigned function = 0;
        while (function < FUNCTION_COUNT &&
               (strlen(names[function]) != length || strncmp(names[function], at, length) != 0))
            function++;
        at += length;
        if (function == FUNCTION_COUNT || !take(&at, ':'))
            stop(variable, value);
        *failure = (struct failure){.function = (enum function)function, .code = CL_OUT_OF_RESOURCES};
        failure->first = take_number(&at, variable, value, 1);
        failure->onwards = take(&at, '+');
        if (take(&at, ':'))
            failure->code = (cl_int)take_number(&at, variable, value, -100000);
        if (*at != '\0' && !take(&at, ','))
            stop(variable, value);
    }
}

static void read_spoil(const char *value) {
    static const char variable[] = "BM_LAYER_SPOIL";
    memset(&spoil, 0, sizeof spoil);
    if (value == NULL)
        return;
    const char *at = value;
    spoil.first = take_number(&at, variable, value, 1);
    spoil.onwards = take(&at, '+');
    if ((spoil.one_word = take(&at, ':')))
        spoil.word = (size_t)take_number(&at, variable, value, 0);
    if (*at != '\0')
        stop(variable, value);
}

static cl_device_type read_type(const char *value) {
    if (value == NULL)
        return 0;
    if (strcmp(value, "cpu") == 0)
        return CL_DEVICE_TYPE_CPU;
    if (strcmp(value, "gpu") == 0)
        return CL_DEVICE_TYPE_GPU;
    if (strcmp(value, "accelerator") != 0)
        stop("BM_LAYER_TYPE", value);
    return CL_DEVICE_TYPE_ACCELERATOR;
}

static enum subject read_subject(const char *value) {
    if (value == NULL || strcmp(value, "all") == 0)
        return SUBJECT_ALL;
    if (strcmp(value, "first") == 0)
        return SUBJECT_FIRST;
    if (strcmp(value, "second") != 0)
        stop("BM_LAYER_TARGET", value);
    return SUBJECT_SECOND;
}

static enum pci_query read_pci_query(const char *value) {
    if (value == NULL || strcmp(value, "khr") == 0)
        return PCI_BY_KHR;
    if (strcmp(value, "nv") == 0)
        return PCI_BY_NV;
    if (strcmp(value, "amd") != 0)
        stop("BM_LAYER_PCI_BY", value);
    return PCI_BY_AMD;
}

void bm_layer_read_plan(void) {
    struct plan *plan = &bm_layer_plan;
    const char *pci = getenv("BM_LAYER_PCI"), *memory = getenv("BM_LAYER_MEMORY");
    const char *second = getenv("BM_LAYER_TWO_PLATFORMS");
    *plan = (struct plan){
        .device_name = getenv("BM_LAYER_DEVICE_NAME"),
        .vendor = getenv("BM_LAYER_VENDOR"),
        .second_platform = second != NULL && strcmp(second, "1") == 0 ? "Second Platform" : second,
        .type = read_type(getenv("BM_LAYER_TYPE")),
        .has_pci = pci != NULL,
        .pci_query = read_pci_query(getenv("BM_LAYER_PCI_BY")),
        .subject = read_subject(getenv("BM_LAYER_TARGET")),
    };
    char rest;
    if (pci != NULL &&
        sscanf(pci, "%x:%x:%x.%x%c", &plan->pci[0], &plan->pci[1], &plan->pci[2], &plan->pci[3], &rest) != 4)
        stop("BM_LAYER_PCI", pci);
    if (memory != NULL) {
        const char *at = memory;
        plan->memory_bytes = (uint64_t)take_number(&at, "BM_LAYER_MEMORY", memory, 4);
        if (*at != '\0')
            stop("BM_LAYER_MEMORY", memory);
    }
    from_path = getenv("BM_LAYER_FROM");
    read_failures(getenv("BM_LAYER_FAIL"));
    read_spoil(getenv("BM_LAYER_SPOIL"));
    for (unsigned i = 0; i < FUNCTION_COUNT; i++)
        atomic_store(&calls[i], 0);
}

bool bm_layer_fails(enum function function, cl_int *code) {
    *code = CL_SUCCESS;
    if (from_path != NULL && access(from_path, F_OK) != 0)
        return false;
    long number = atomic_fetch_add(&calls[function], 1) + 1;
    for (unsigned i = 0; i < failure_count; i++)
        if (failures[i].function == function &&
            (number == failures[i].first || (failures[i].onwards && number > failures[i].first))) {
            *code = failures[i].code;
            return true;
        }
    return false;
}

bool bm_layer_spoils_read(void) {
    long number = atomic_load(&calls[FN_clEnqueueReadBuffer]);
    return spoil.first > 0 && (number == spoil.first || (spoil.onwards && number > spoil.first));
}

void bm_layer_spoil(void *data, size_t bytes) {
    unsigned char *at = data;
    for (size_t word = spoil.one_word ? spoil.word : 0; word < bytes / 4; word++) {
        at[word * 4 + 3] ^= 0x80; /* little-endian: the sign of an f32, and of the second of two f16 */
        if (spoil.one_word)
            break;
    }
}

void bm_layer_live(enum kind kind, long change) {
    atomic_fetch_add(&live[kind], change);
}

__attribute__((destructor)) static void write_counts(void) {
    const char *path = getenv("BM_LAYER_COUNT");
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    if (file == NULL)
        return;
    for (unsigned i = 0; i < FUNCTION_COUNT; i++)
        if (atomic_load(&calls[i]) > 0)
            fprintf(file, "%s %ld\n", names[i], atomic_load(&calls[i]));
    for (unsigned i = 0; i < KIND_COUNT; i++)
        if (atomic_load(&live[i]) != 0)
            fprintf(file, "live %s %ld\n", kinds[i], atomic_load(&live[i]));
    fclose(file);
}

EXPORT void bm_fault_layer_reset(void);
EXPORT long bm_fault_layer_calls(const char *name);
EXPORT const char *bm_fault_layer_name(unsigned index);
EXPORT long bm_fault_layer_live(void);

void bm_fault_layer_reset(void) {
    bm_layer_read_plan();
}

long bm_fault_layer_calls(const char *name) {
    for (unsigned i = 0; i < FUNCTION_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return atomic_load(&calls[i]);
    return -1;
}

const char *bm_fault_layer_name(unsigned index) {
    return index < FUNCTION_COUNT ? names[index] : NULL;
}

long bm_fault_layer_live(void) {
    long total = 0;
    for (unsigned i = 0; i < KIND_COUNT; i++)
        total += atomic_load(&live[i]);
    return total;
}
