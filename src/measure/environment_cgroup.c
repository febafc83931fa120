#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "environment.h"

static void add(const char *root, const char *folder, struct bm_cgroup *group) {
    char full[PATH_MAX];
    if (group->count < BM_CGROUP_FOLDERS && bm_system_path(root, folder, full) && access(full, X_OK) == 0)
        bm_string_set(group->folders[group->count++], BM_CGROUP_PATH, folder);
}

/* In a container the path may be the host's, of which only the end of the mount is seen: what does not exist
 * is passed over, and the mount itself is always tried. */
static void climb(const char *root, const char *mount, const char *path, struct bm_cgroup *group) {
    char folder[BM_CGROUP_PATH];
    size_t base = strlen(mount);
    int length = snprintf(folder, sizeof folder, "%s%s", mount, path);
    if (length < 0 || (size_t)length >= sizeof folder || strstr(path, "/..") != NULL)
        snprintf(folder, sizeof folder, "%s", mount);
    for (size_t end = strlen(folder); end > base; end--) {
        if (folder[end] != '/' && folder[end] != '\0')
            continue;
        folder[end] = '\0';
        if (folder[end - 1] != '/')
            add(root, folder, group);
    }
    add(root, mount, group);
}

/* "cpu,cpuacct" has "cpu". */
static bool has_word(const char *list, size_t length, const char *word) {
    size_t size = strlen(word);
    for (const char *at = list; at + size <= list + length; at++) {
        bool starts = at == list || at[-1] == ',';
        bool ends = at + size == list + length || at[size] == ',';
        if (starts && ends && strncmp(at, word, size) == 0)
            return true;
    }
    return false;
}

/* Lines of /proc/self/cgroup: "4:cpu,cpuacct:/path" of v1, "0::/path" of v2. */
static void read_line(const char *root, const char *controller, char *line, struct bm_cgroup *group) {
    char mount[64];
    char *list = strchr(line, ':'), *path = list != NULL ? strchr(list + 1, ':') : NULL;
    if (path == NULL)
        return;
    size_t length = (size_t)(path - list - 1);
    if (length == 0) {
        climb(root, "/sys/fs/cgroup/unified", path + 1, group); /* beside v1 */
        climb(root, "/sys/fs/cgroup", path + 1, group);
    } else if (has_word(list + 1, length, controller)) {
        snprintf(mount, sizeof mount, "/sys/fs/cgroup/%s", controller);
        climb(root, mount, path + 1, group);
    }
}

void bm_cgroup_find(const char *root, const char *controller, struct bm_cgroup *group) {
    *group = (struct bm_cgroup){0};
    char *text = bm_system_text(root, "/proc/self/cgroup"), *rest = NULL;
    for (char *line = text != NULL ? strtok_r(text, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        read_line(root, controller, line, group);
    free(text);
}
