#include "bm/base.h"

#include <stdio.h>

static struct {
    bm_log_sink sink;
    void *context;
} destination;

void bm_log_set_sink(bm_log_sink sink, void *context) {
    destination.sink = sink;
    destination.context = context;
}

void bm_log(enum bm_log_level level, const char *format, ...) {
    if (destination.sink == NULL)
        return;
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    destination.sink(destination.context, level, message);
}
