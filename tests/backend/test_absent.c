/* A program that was built without oneDNN: the backend's own file, compiled as it is then. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "backends.h"

Test(absent, says_what_is_missing_and_opens_nothing) {
    struct bm_place place = {0};
    const struct bm_places places = {.items = &place, .count = 1};
    const struct bm_backend_options options = {.cpus = true, .places = &places};
    const struct bm_session_options session_options = {0};
    struct bm_endpoint *listed = NULL;
    struct bm_session *session = (struct bm_session *)1;
    struct bm_error error = {0};
    size_t count = 0, capacity = 0;
    cr_assert_eq(bm_backend_onednn.list(&options, &listed, &count, &capacity, &error), BM_OK, "%s",
                 error.message);
    cr_assert_eq(count, 1, "it is listed, so that it can say why it does nothing");
    cr_expect_not(listed[0].usable);
    cr_expect_str_eq(listed[0].unusable_reason, "built without oneDNN: install libdnnl-dev, configure anew");
    cr_expect_eq(bm_backend_onednn.open(&listed[0], &session_options, &session, &error), BM_UNSUPPORTED);
    cr_expect_null(session);
    cr_expect_not_null(strstr(error.message, "built without oneDNN"), "%s", error.message);
    bm_backend_onednn.release(&listed[0]);
    free(listed);
}
