/* Names of errors and of backends. */
#include <CL/cl_ext.h>

#include <criterion/criterion.h>

#include "../../src/opencl/internal.h"

Test(errors, have_their_standard_names) {
    cr_assert_str_eq(bm_cl_error_name(CL_SUCCESS), "CL_SUCCESS");
    cr_assert_str_eq(bm_cl_error_name(-1), "CL_DEVICE_NOT_FOUND");
    cr_assert_str_eq(bm_cl_error_name(-5), "CL_OUT_OF_RESOURCES");
    cr_assert_str_eq(bm_cl_error_name(-11), "CL_BUILD_PROGRAM_FAILURE");
    cr_assert_str_eq(bm_cl_error_name(-72), "CL_MAX_SIZE_RESTRICTION_EXCEEDED");
    cr_assert_str_eq(bm_cl_error_name(-1001), "CL_PLATFORM_NOT_FOUND_KHR");
    cr_assert_str_eq(bm_cl_error_name(-20), "CL_UNKNOWN_ERROR");
    cr_assert_str_eq(bm_cl_error_name(7), "CL_UNKNOWN_ERROR");
}

Test(errors, every_code_of_the_standard_is_named_once) {
    for (cl_int code = -72; code <= 0; code++) {
        if (code < -19 && code > -30)
            continue; /* the standard leaves these out */
        cr_expect_str_neq(bm_cl_error_name(code), "CL_UNKNOWN_ERROR", "code %d", code);
        for (cl_int other = -72; other < code; other++)
            if (other <= -30 || other >= -19)
                cr_expect_str_neq(bm_cl_error_name(code), bm_cl_error_name(other), "%d and %d", code, other);
    }
}

Test(errors, name_the_call_and_the_code) {
    struct bm_error error = {0};
    cr_assert_eq(bm_cl_fail(&error, CL_OUT_OF_RESOURCES, "clEnqueueNDRangeKernel"), BM_DEVICE);
    cr_assert_eq(error.native, -5);
    cr_assert_str_eq(error.call, "clEnqueueNDRangeKernel");
    cr_assert_str_eq(error.message, "clEnqueueNDRangeKernel failed: CL_OUT_OF_RESOURCES (-5)");
    cr_assert_eq(bm_cl_fail(NULL, CL_MEM_OBJECT_ALLOCATION_FAILURE, "clCreateBuffer"), BM_NO_MEMORY);
    cr_assert_eq(bm_cl_fail(NULL, CL_OUT_OF_HOST_MEMORY, "clCreateBuffer"), BM_NO_MEMORY);
}

Test(backends, have_stable_names) {
    static const char *const cases[][2] = {
        {"Portable Computing Language", "opencl/pocl"},
        {"NVIDIA CUDA", "opencl/nvidia"},
        {"AMD Accelerated Parallel Processing", "opencl/amd"},
        {"Intel(R) OpenCL", "opencl/intel-cpu"},
        {"Intel(R) OpenCL Graphics", "opencl/intel-gpu"},
        {"Intel(R) OpenCL HD Graphics", "opencl/intel-gpu"},
        {"rusticl", "opencl/rusticl"},
        {"Clover", "opencl/clover"},
        {"Oclgrind", "opencl/oclgrind"},
        {"ARM Platform", "opencl/arm"},
        {"Some  Vendor's (tm) OpenCL 3", "opencl/some-vendor-s-tm-opencl-3"},
        {"--", "opencl/unnamed"},
        {"", "opencl/unnamed"},
        {"Gr\xc3\xbc\xc3\x9f"
         "e",
         "opencl/gr-e"},
        {"a platform with a name that goes on for longer than a slug",
         "opencl/a-platform-with-a-name-that-goe"},
    };
    for (size_t i = 0; i < BM_COUNT_OF(cases); i++) {
        char backend[48];
        bm_cl_backend_name(cases[i][0], backend, sizeof backend);
        cr_expect_str_eq(backend, cases[i][1], "%s: %s", cases[i][0], backend);
    }
}

Test(backends, that_emulate_other_hardware_are_passed_over) {
    cr_assert(bm_cl_platform_ignored("Intel(R) FPGA Emulation Platform for OpenCL(TM)"));
    cr_assert_not(bm_cl_platform_ignored("Intel(R) OpenCL"));
}

Test(words, are_whole) {
    cr_assert(bm_cl_has_word("cl_khr_fp16", "cl_khr_fp16"));
    cr_assert(bm_cl_has_word("cl_khr_fp64 cl_khr_fp16 ", "cl_khr_fp16"));
    cr_assert(bm_cl_has_word("cl_khr_fp16_more cl_khr_fp16", "cl_khr_fp16"));
    cr_assert_not(bm_cl_has_word("cl_khr_fp16_more", "cl_khr_fp16"));
    cr_assert_not(bm_cl_has_word("xcl_khr_fp16", "cl_khr_fp16"));
    cr_assert_not(bm_cl_has_word("", "cl_khr_fp16"));
}
