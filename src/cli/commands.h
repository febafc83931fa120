/* What the commands do: each reads settings, writes its report and returns the exit code. */
#ifndef BM_COMMANDS_H
#define BM_COMMANDS_H

#include "cli.h"

enum exit_code command_run(void);
enum exit_code command_verify(void);
enum exit_code command_tune(void);
enum exit_code command_ab(void);
enum exit_code command_check(void);
enum exit_code command_compare(void);
enum exit_code command_estimate(void);
enum exit_code command_devices(void);
enum exit_code command_models(void);
enum exit_code command_workloads(void);
enum exit_code command_suites(void);

/* Reports the error, if any, and gives the exit code of status. */
enum exit_code command_end(enum bm_status status, const struct bm_error *error);
/* --format json, or BM_INVALID for a word that is no format. */
enum bm_status command_wants_json(bool *json, struct bm_error *error) BM_CHECK_RESULT;

/* ---- of the commands that read results files ---- */

enum format_of { FORMAT_OF_COMPARISON, FORMAT_OF_GATE, FORMAT_OF_ESTIMATE };
/* The format of --format, or text; BM_INVALID names those that have such a report. */
enum bm_status command_format(enum format_of of, const struct bm_export_format **format,
                              struct bm_error *error) BM_CHECK_RESULT;
/* Whether path is one of these files, under whatever name. */
bool command_names_file(const struct bm_names *names, const char *path);
/* BM_INVALID where --output is a file that the command reads: writing it would destroy that. */
enum bm_status command_spare_inputs(struct bm_error *error) BM_CHECK_RESULT;
/* Adds each file of the command line to a report. Broken files are told and left out, and *left_out counts
 * them; any other error ends the command. */
enum bm_status command_add_files(enum bm_status (*add)(void *report, const char *path,
                                                       struct bm_error *error),
                                 void *report, size_t *left_out, struct bm_error *error) BM_CHECK_RESULT;
/* The selectors of the command line. */
enum bm_status command_filter(struct bm_compare_filter *filter, struct bm_error *error) BM_CHECK_RESULT;
/* --margin and --alpha: "0.02" or "2%". */
enum bm_status command_gate_options(struct bm_gate_options *options, struct bm_error *error) BM_CHECK_RESULT;
/* The report, and what the gate's verdicts mean to a caller. */
enum exit_code command_end_gate(const struct bm_gate *gate, const struct bm_export_format *format,
                                bool broken_files);
/* To --output, or to standard output. */
enum bm_status command_write(const struct bm_text *text, struct bm_error *error) BM_CHECK_RESULT;
/* Of what is written: a file is no terminal. */
struct bm_export_options command_output_options(void);

/* What --threads, --cores and --isa ask for. BM_INVALID names the wrong word. */
enum bm_status cpu_options_read(struct bm_inventory_options *options, struct bm_error *error) BM_CHECK_RESULT;

#endif
