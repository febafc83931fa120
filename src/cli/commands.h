/* What the commands do: each reads settings, writes its report and returns the exit code. */
#ifndef BM_COMMANDS_H
#define BM_COMMANDS_H

#include "cli.h"

enum exit_code command_run(void);
enum exit_code command_verify(void);
enum exit_code command_tune(void);
enum exit_code command_devices(void);
enum exit_code command_models(void);
enum exit_code command_workloads(void);
enum exit_code command_suites(void);

/* Reports the error, if any, and gives the exit code of status. */
enum exit_code command_end(enum bm_status status, const struct bm_error *error);
/* --format json, or BM_INVALID for a word that is no format. */
enum bm_status command_wants_json(bool *json, struct bm_error *error) BM_CHECK_RESULT;

#endif
