/* Private to the data module: the parts of a results file. */
#ifndef BM_DATA_RESULTS_H
#define BM_DATA_RESULTS_H

#include "bm/results.h"
#include "json_writer.h"

json_t *bm_results_environment_json(struct bm_json_writer *writer,
                                    const struct bm_results_environment *environment);
json_t *bm_results_device_json(struct bm_json_writer *writer, const struct bm_results *results,
                               const struct bm_results_device *device);
json_t *bm_results_row_json(struct bm_json_writer *writer, const struct bm_results *results,
                            const struct bm_results_row *row);
json_t *bm_results_parameters_json(struct bm_json_writer *writer, const struct bm_parameters *parameters);

#endif
