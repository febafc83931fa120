/* bm/base.h - floor 0: errors, text, memory, clocks, random numbers, files, processes, logging.
 *
 * Every fallible function returns enum bm_status and takes a struct bm_error last. Outputs are cleared on
 * failure. Nothing in the library prints or exits: only src/cli does. */
#ifndef BM_BASE_H
#define BM_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BM_CHECK_RESULT                    __attribute__((warn_unused_result))
#define BM_PRINTF(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))
#define BM_COUNT_OF(array)                 (sizeof(array) / sizeof((array)[0]))

/* ---- errors ---- */

enum bm_status {
    BM_OK = 0,
    BM_INVALID,     /* bad input: an option, a file's content */
    BM_IO,          /* the operating system refused a file operation; native is errno */
    BM_NO_MEMORY,   /* host or device memory */
    BM_NOT_FOUND,   /* no such name, file or device */
    BM_UNSUPPORTED, /* valid, but this device or build cannot do it */
    BM_DEVICE,      /* an OpenCL call failed; native is the cl_int */
    BM_INTERRUPTED, /* a signal asked us to stop */
    BM_TIMED_OUT,   /* the time that was given for it ended */
    BM_INTERNAL,    /* a bug */
};

/* Message sizes bound what an error can carry; longer text is cut, never overrun. */
struct bm_error {
    enum bm_status status;
    int native;        /* errno or cl_int, 0 where there is none */
    char call[48];     /* the failing call, e.g. "clEnqueueNDRangeKernel", or "" */
    char message[512]; /* one line for a person: what, where, how to mend */
};

/* Records the first error only: a later one, met while unwinding, is usually its consequence. error may be
 * NULL. Returns status, so that `return bm_fail(...)` works. */
enum bm_status bm_fail(struct bm_error *error, enum bm_status status, const char *format, ...)
    BM_PRINTF(3, 4);
enum bm_status bm_fail_native(struct bm_error *error, enum bm_status status, int native, const char *call,
                              const char *format, ...) BM_PRINTF(5, 6);
#ifdef __clang_analyzer__ /* which cannot see into other files: what is returned there is never BM_OK */
static inline enum bm_status bm_failed(enum bm_status status) {
    if (status == BM_OK)
        __builtin_unreachable();
    return status;
}
/* NOLINTBEGIN(readability-identifier-naming) */
#define bm_fail(...)        bm_failed(bm_fail(__VA_ARGS__))
#define bm_fail_native(...) bm_failed(bm_fail_native(__VA_ARGS__))
/* NOLINTEND(readability-identifier-naming) */
#endif
/* "invalid", "io", ...: a stable word for each status. */
const char *bm_status_name(enum bm_status status);

/* ---- memory ---- */

/* Zeroed array; NULL when count * size overflows or memory is short. count 0 gives a valid pointer to free.
 */
void *bm_alloc(size_t count, size_t size) BM_CHECK_RESULT;
/* Grows *array (capacity *capacity elements of size bytes) to hold at least needed elements, new ones zeroed.
 */
enum bm_status bm_grow(void *array_pointer, size_t *capacity, size_t needed, size_t size,
                       struct bm_error *error) BM_CHECK_RESULT;

/* ---- text ---- */

/* A growing string. Zero-initialise; data is NUL-terminated after the first append. A failed append sets
 * `failed` and further appends do nothing, so that a long sequence is checked once. */
struct bm_text {
    char *data;
    size_t length, capacity;
    bool failed;
};
void bm_text_append(struct bm_text *text, const char *format, ...) BM_PRINTF(2, 3);
void bm_text_append_bytes(struct bm_text *text, const char *bytes, size_t length);
void bm_text_fini(struct bm_text *text);

/* Copies source into destination[size], cut at the last whole UTF-8 character that fits. */
void bm_string_set(char *destination, size_t size, const char *source);
/* Case-insensitive (ASCII) substring test. */
bool bm_string_contains(const char *text, const char *part);
/* The candidate nearest to word (edit distance at most 1/3 of its length), or NULL: "did you mean ...?". */
const char *bm_string_nearest(const char *word, const char *const *candidates, size_t count);
/* Whole-string decimal numbers; BM_INVALID with a message that quotes text and the bounds. */
enum bm_status bm_parse_u64(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *value,
                            struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_parse_double(const char *text, double minimum, double maximum, double *value,
                               struct bm_error *error) BM_CHECK_RESULT;

/* ---- clocks ---- */

/* A source of monotonic nanoseconds, injected so that tests can invent time. */
struct bm_clock {
    uint64_t (*now_ns)(void *context);
    void *context;
};
/* CLOCK_MONOTONIC. */
extern const struct bm_clock bm_clock_monotonic;
uint64_t bm_clock_now(const struct bm_clock *clock);
/* Current time as RFC 3339 UTC, "2026-01-31T12:00:00Z" (extended) or "20260131T120000Z" (basic, for file
 * names). */
void bm_time_utc(char text[32], bool basic);

/* ---- random numbers ---- */

/* xoshiro256** by Blackman and Vigna (https://prng.di.unimi.it/), seeded through splitmix64. Equal seeds give
 * equal sequences on every machine. Not for secrets. */
struct bm_random {
    uint64_t state[4];
};
void bm_random_init(struct bm_random *random, uint64_t seed);
uint64_t bm_random_u64(struct bm_random *random);
/* Uniform in [0, bound) without modulo bias; bound > 0. */
uint64_t bm_random_below(struct bm_random *random, uint64_t bound);
/* Uniform in [0, 1). */
double bm_random_unit(struct bm_random *random);
/* Standard normal (Marsaglia's polar method). */
double bm_random_normal(struct bm_random *random);
/* Fisher-Yates shuffle of count indices. */
void bm_random_shuffle(struct bm_random *random, size_t *indices, size_t count);
/* Random version 4 UUID (RFC 9562) from the operating system's entropy. */
void bm_uuid(char text[37]);
/* FNV-1a, 64 bit: for names and seeds, not for content digests. */
uint64_t bm_hash(const void *data, size_t size, uint64_t seed);
/* SHA-256 (FIPS 180-4) as 64 hex digits; digest of the concatenation of the count pieces. */
struct bm_bytes {
    const void *data;
    size_t size;
};
void bm_sha256(const struct bm_bytes *pieces, size_t count, char hex[65]);

/* ---- files ---- */

/* Reads a whole file of at most limit bytes. *data is NUL-terminated and the caller frees it. */
enum bm_status bm_file_read(const char *path, size_t limit, char **data, size_t *size,
                            struct bm_error *error) BM_CHECK_RESULT;
/* Digest of a file's content, as bm_sha256 gives it; at most limit bytes. "" on failure. */
enum bm_status bm_file_sha256(const char *path, size_t limit, char hex[65],
                              struct bm_error *error) BM_CHECK_RESULT;
/* Replaces path atomically (temporary file beside it, fsync, rename): readers see the old or the new content.
 */
enum bm_status bm_file_write_atomic(const char *path, const char *data, size_t size,
                                    struct bm_error *error) BM_CHECK_RESULT;
/* Says now whether bm_file_write_atomic could write path: makes its folder, creates and removes a file of
 * reserve bytes beside it. */
enum bm_status bm_file_check_writable(const char *path, size_t reserve,
                                      struct bm_error *error) BM_CHECK_RESULT;
bool bm_file_exists(const char *path);
/* Sorted names in folder that end in suffix. Free with bm_names_fini. */
struct bm_names {
    char **items;
    size_t count;
};
enum bm_status bm_folder_list(const char *folder, const char *suffix, struct bm_names *names,
                              struct bm_error *error) BM_CHECK_RESULT;
void bm_names_fini(struct bm_names *names);
/* The program's read-only data (bench/, kernels/): $BENCHMARK_DATA_DIR, else <program's
 * folder>/../share/benchmark. Writes the path of name below it, e.g. "bench/models". */
enum bm_status bm_data_path(const char *name, char *path, size_t size,
                            struct bm_error *error) BM_CHECK_RESULT;

/* ---- processes ---- */

struct bm_spawn {
    const char *const
        *words; /* argv, NULL-terminated; words[0] is looked for in PATH. No shell is involved */
    const char *output,
        *errors;      /* files for its standard output (NULL: dropped) and standard error (NULL: ours) */
    double timeout_s; /* 0: none */
    bool (*stop_requested)(void *context); /* asked all the while; may be NULL */
    void *context;
};
struct bm_spawn_end {
    int exit_code;           /* -1: it did not exit by itself */
    int signal;              /* that ended it, 0: none */
    bool timed_out, stopped; /* it was ended because of that, with all that it had started */
    double seconds;
};
/* Runs a program to its end, in a process group of its own and without standard input. BM_NOT_FOUND: there is
 * no such program; BM_IO: it could not be started. How it ended is no error here. */
enum bm_status bm_spawn_run(const struct bm_spawn *spawn, struct bm_spawn_end *end,
                            struct bm_error *error) BM_CHECK_RESULT;

/* ---- where a device is plugged in: what topology and drivers both name ---- */

struct bm_pci_address {
    uint32_t domain;
    uint8_t bus, device, function;
};
/* "0000:3b:00.0" */
void bm_pci_format(const struct bm_pci_address *address, char text[16]);
bool bm_pci_equal(const struct bm_pci_address *a, const struct bm_pci_address *b);

/* ---- logging ---- */

enum bm_log_level { BM_LOG_WARNING, BM_LOG_INFO, BM_LOG_DEBUG };
typedef void (*bm_log_sink)(void *context, enum bm_log_level level, const char *message);
/* Where messages go; none by default. Set once at start, before other threads. */
void bm_log_set_sink(bm_log_sink sink, void *context);
void bm_log(enum bm_log_level level, const char *format, ...) BM_PRINTF(2, 3);

#endif
