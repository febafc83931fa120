/* Building OpenCL C. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Joins the first lines of a build log that hold text into one line. */
static void first_lines(const char *log, char *line, size_t size) {
    enum { LINES = 4 };
    size_t length = 0;
    line[0] = '\0';
    for (unsigned lines = 0; *log != '\0' && lines < LINES && length + 4 < size;) {
        log += strspn(log, " \t\r\n");
        size_t take = strcspn(log, "\r\n");
        if (take == 0)
            break;
        length +=
            (size_t)snprintf(line + length, size - length, "%s%.*s", lines > 0 ? " | " : "", (int)take, log);
        log += take;
        lines++;
    }
}

static enum bm_status fail_build(const struct bm_cl_queue *queue, cl_program program, cl_int code,
                                 struct bm_error *error) {
    size_t size = 0;
    char *log = NULL, lines[384];
    if (clGetProgramBuildInfo(program, queue->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) == CL_SUCCESS &&
        size < (size_t)64 << 20)
        log = bm_alloc(size + 1, 1);
    if (log != NULL &&
        clGetProgramBuildInfo(program, queue->device, CL_PROGRAM_BUILD_LOG, size, log, NULL) != CL_SUCCESS)
        log[0] = '\0';
    first_lines(log != NULL ? log : "", lines, sizeof lines);
    free(log);
    if (lines[0] == '\0')
        return bm_cl_fail(error, code, "clBuildProgram");
    return bm_fail_native(error, BM_DEVICE, code, "clBuildProgram", "clBuildProgram failed: %s (%d): %s",
                          bm_cl_error_name(code), code, lines);
}

enum bm_status bm_cl_program_build(const struct bm_cl_queue *queue, const char *source, const char *options,
                                   cl_program *program, struct bm_error *error) {
    cl_int code;
    enum bm_status status = BM_OK;
    *program = NULL;
    cl_program built = clCreateProgramWithSource(queue->context, 1, &source, NULL, &code);
    if (code != CL_SUCCESS)
        return bm_cl_fail(error, code, "clCreateProgramWithSource");
    code = clBuildProgram(built, 1, &queue->device, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        status = fail_build(queue, built, code, error);
        clReleaseProgram(built);
        return status;
    }
    *program = built;
    return BM_OK;
}

bool bm_cl_program_probe(const struct bm_cl_queue *queue, const char *source, const char *options) {
    cl_program program;
    if (bm_cl_program_build(queue, source, options, &program, NULL) != BM_OK)
        return false;
    clReleaseProgram(program);
    return true;
}
