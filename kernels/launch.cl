/* launch.cl - the shortest kernel: one work-item writes one number, so that its having run can be seen.
 * OpenCL C 1.2, no extension. Range: {1}. */
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void launch(global float *restrict result,
                                                                  const uint value) {
    result[0] = value;
}
