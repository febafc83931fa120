/* Selecting by --device and --backend. */
#include "internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* "gpu", "gpu0", "cpu0@avx2": a kind or an id, never a part of a name. */
static bool is_kind_or_id(const char *selector) {
    if (strncasecmp(selector, "cpu", 3) != 0 && strncasecmp(selector, "gpu", 3) != 0)
        return false;
    for (selector += 3; isdigit((unsigned char)*selector); selector++)
        ;
    return *selector == '\0' || *selector == '@';
}

bool bm_device_matches(const struct bm_device *device, const char *selector) {
    if (is_kind_or_id(selector))
        return strcasecmp(selector, device->id) == 0 || strcasecmp(selector, device->hardware) == 0 ||
               strcasecmp(selector, device->is_gpu ? "gpu" : "cpu") == 0;
    return selector[0] != '\0' && bm_string_contains(device->name, selector);
}

bool bm_endpoint_matches(const struct bm_endpoint *endpoint, const char *selector) {
    size_t length = strlen(selector);
    return length > 0 && strncasecmp(endpoint->id, selector, length) == 0 &&
           (endpoint->id[length] == '\0' || (endpoint->id[length] == '/' && strchr(selector, '/') == NULL));
}
