#include <stdlib.h>
#include <string.h>

#include "bm/run.h"
#include "build_info.h"

enum { MAX_KERNELS = 64, SOURCE_LIMIT = 1 << 20 };

/* SHA-256 over names and contents of the folder's *.cl, in order of their names; "" when unreadable. */
static void hash_kernels(const char *folder, char hex[65]) {
    struct bm_bytes pieces[2 * MAX_KERNELS];
    char *contents[MAX_KERNELS] = {0};
    struct bm_names names;
    size_t count = 0;
    hex[0] = '\0';
    if (bm_folder_list(folder, ".cl", &names, NULL) != BM_OK)
        return;
    bool complete = names.count <= MAX_KERNELS;
    for (size_t i = 0; complete && i < names.count; i++) {
        struct bm_text path = {0};
        size_t size;
        bm_text_append(&path, "%s/%s", folder, names.items[i]);
        complete = !path.failed && bm_file_read(path.data, SOURCE_LIMIT, &contents[i], &size, NULL) == BM_OK;
        bm_text_fini(&path);
        if (!complete)
            break;
        pieces[count++] = (struct bm_bytes){names.items[i], strlen(names.items[i]) + 1};
        pieces[count++] = (struct bm_bytes){contents[i], size};
    }
    if (complete)
        bm_sha256(pieces, count, hex);
    for (size_t i = 0; i < MAX_KERNELS; i++)
        free(contents[i]);
    bm_names_fini(&names);
}

void bm_run_tool(const char *kernels_folder, struct bm_results_tool *tool) {
    char own[4096];
    *tool = (struct bm_results_tool){
        .version = BM_VERSION, .commit = BM_COMMIT, .compiler = BM_COMPILER, .build_type = BM_BUILD_TYPE};
    if (kernels_folder == NULL && bm_data_path("kernels", own, sizeof own, NULL) == BM_OK)
        kernels_folder = own;
    if (kernels_folder != NULL)
        hash_kernels(kernels_folder, tool->kernels_sha256);
}
