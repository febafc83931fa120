/* datasheet_fact.h - facts of a datasheet, {"value", "status", "seen_in"}, as readers of json_reader.h's
 * fields. A status of "verified" needs a source; sources are names that $.sources explains. */
#ifndef BM_DATASHEET_FACT_H
#define BM_DATASHEET_FACT_H

#include "bm/data.h"
#include "json_reader.h"

/* Into a char[16], a uint32_t, a double. */
enum bm_status bm_fact_read_date(const struct bm_json *at, void *field, struct bm_error *error);
enum bm_status bm_fact_read_units(const struct bm_json *at, void *field, struct bm_error *error);
enum bm_status bm_fact_read_figure(const struct bm_json *at, void *field, struct bm_error *error);
/* Kept for the file's readers only. */
enum bm_status bm_fact_check_figure(const struct bm_json *at, void *unused, struct bm_error *error);
/* Into a struct bm_datasheet: its bandwidth, its peaks, its rates per cycle. */
enum bm_status bm_fact_read_bandwidth(const struct bm_json *at, void *field, struct bm_error *error);
enum bm_status bm_fact_read_peaks(const struct bm_json *at, void *field, struct bm_error *error);
enum bm_status bm_fact_read_per_cycle(const struct bm_json *at, void *field, struct bm_error *error);
/* $.sources itself, and a name of one. */
enum bm_status bm_fact_read_sources(const struct bm_json *at, void *unused, struct bm_error *error);
enum bm_status bm_fact_read_source(const struct bm_json *at, void *unused, struct bm_error *error);

#endif
