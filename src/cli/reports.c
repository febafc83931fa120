/* What the commands that read results files share. */
#include <string.h>

#include "commands.h"

static bool has_report(const struct bm_export_format *format, enum format_of of) {
    switch (of) {
    case FORMAT_OF_COMPARISON:
        return format->write_comparison != NULL;
    }
    return false;
}

enum bm_status command_format(enum format_of of, const struct bm_export_format **format,
                              struct bm_error *error) {
    const char *name = settings.format != NULL ? settings.format : "text";
    struct bm_text known = {0};
    *format = bm_export_format_find(name);
    if (*format != NULL && has_report(*format, of))
        return BM_OK;
    for (size_t i = 0; bm_export_format_get(i) != NULL; i++)
        if (has_report(bm_export_format_get(i), of))
            bm_text_append(&known, "%s%s", known.length > 0 ? ", " : "", bm_export_format_get(i)->name);
    enum bm_status status = bm_fail(error, BM_INVALID, "--format: '%.40s' is unknown: use one of %s", name,
                                    known.data != NULL ? known.data : "");
    bm_text_fini(&known);
    *format = NULL;
    return status;
}

static bool to_standard_output(void) {
    return settings.run.output == NULL || strcmp(settings.run.output, "-") == 0;
}

struct bm_export_options command_output_options(void) {
    return to_standard_output() ? output_options() : (struct bm_export_options){0};
}

enum bm_status command_write(const struct bm_text *text, struct bm_error *error) {
    if (to_standard_output())
        return output_write(text, error);
    enum bm_status status = bm_file_check_writable(settings.run.output, 0, error); /* also makes its folder */
    return status == BM_OK ? bm_file_write_atomic(settings.run.output, text->data != NULL ? text->data : "",
                                                  text->length, error)
                           : status;
}
