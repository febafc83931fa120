/* A program of its own that lists the devices: what the layer does to programs shows at its end. */
#include <stdlib.h>

#include "bm/opencl.h"

int main(void) {
    struct bm_cl_device *devices;
    size_t count;
    if (bm_cl_list(&devices, &count, NULL) != BM_OK)
        return 1;
    free(devices);
    return 0;
}
