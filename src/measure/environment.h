/* Private to the measure module: reading the system's files, below a root that a test can fake. */
#ifndef BM_MEASURE_ENVIRONMENT_H
#define BM_MEASURE_ENVIRONMENT_H

#include <limits.h>

#include "bm/control.h"

/* root + path, e.g. "/sys/x" below "" or a test's folder. false: too long. */
bool bm_system_path(const char *root, const char *path, char full[PATH_MAX]);
/* First line of a small file without its newline; "" and false: no such file, or nothing in it. */
bool bm_system_line(const char *root, const char *path, char *line, size_t size);
/* Whole file, NULL: there is none. Caller frees. */
char *bm_system_text(const char *root, const char *path);
/* A decimal number at the start of text after blanks, *end after it. Too large: UINT64_MAX. false: none. */
bool bm_system_number(const char *text, uint64_t *value, const char **end);
/* As bm_system_number for a file with one number. */
bool bm_system_value(const char *root, const char *path, uint64_t *value);
/* The number behind a key at the start of a line: "nr_throttled 5", "SwapTotal:  12 kB". */
bool bm_system_keyed(const char *text, const char *key, uint64_t *value);

/* The folders of this process's control groups, its own before its parents', for one controller of cgroup v1
 * ("cpu", "memory", "cpuset") and for cgroup v2. Limits of any of them hold. */
enum { BM_CGROUP_FOLDERS = 16, BM_CGROUP_PATH = 512 };
struct bm_cgroup {
    char folders[BM_CGROUP_FOLDERS][BM_CGROUP_PATH]; /* without the root */
    unsigned count;
};
void bm_cgroup_find(const char *root, const char *controller, struct bm_cgroup *group);

/* Versions of the libraries that are loaded. */
void bm_environment_libraries(struct bm_results_environment *environment);
/* What of all this would spoil a run, with the mend: fills environment->warnings. */
void bm_environment_warn(struct bm_results_host *host);

#endif
