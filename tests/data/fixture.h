/* fixture.h - temporary files and data folders for the tests of readers. Every test is a process of its own.
 */
#ifndef TESTS_DATA_FIXTURE_H
#define TESTS_DATA_FIXTURE_H

#include "bm/base.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char fixture_folder[64];
/* Around a test that writes files: makes the folder, and removes it with everything in it. */
void fixture_begin(void);
void fixture_end(void);
/* Writes FOLDER/name with its content (size SIZE_MAX: up to the NUL), making the folders on the way. The path
 * is valid until the next call. */
const char *fixture_write(const char *name, const char *content, size_t size);
/* The program's data is then FOLDER/bench/... */
void fixture_use_as_data(void);
/* The first occurrence of `old` in text, replaced. Caller frees. */
char *fixture_replace(const char *text, const char *old, const char *by);
/* An error for a person: its status, and one line with the file and the part. */
void fixture_check_message(const struct bm_error *error, enum bm_status status, const char *file,
                           const char *part);

#endif
