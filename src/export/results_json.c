#include "format.h"

enum bm_status bm_export_results_json(const struct bm_results *results,
                                      const struct bm_export_options *options, struct bm_text *text,
                                      struct bm_error *error) {
    (void)options;
    return bm_results_format(results, text, error);
}
