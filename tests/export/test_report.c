/* The reports of `benchmark run` and `benchmark verify` as text: whole, on a terminal of 80 columns and
 * without one. */
#include "sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct bm_results results;
static struct bm_text text;

static void begin(void) {
    sample_begin();
    sample_results(&results);
}

static void end(void) {
    bm_text_fini(&text);
    bm_results_fini(&results);
}

TestSuite(report, .init = begin, .fini = end);

static void write_report(unsigned width, bool color) {
    struct bm_export_options options = {.width = width, .color = color};
    struct bm_error error = {0};
    bm_text_fini(&text);
    cr_assert_eq(bm_export_format_find("text")->write(&results, &options, &text, &error), BM_OK, "%s",
                 error.message);
}

static void write_verification(unsigned width) {
    struct bm_export_options options = {.width = width};
    struct bm_error error = {0};
    bm_text_fini(&text);
    cr_assert_eq(bm_export_verification(&results, &options, &text, &error), BM_OK, "%s", error.message);
}

static const char report[] =
    "cpu0: Prüf-CPU ½, 8 cores, 32.0 GiB\n"
    "datasheet: cpu-test\n"
    "\n"
    "CEILING         BACKEND      RATE  UNIT     +/- %  BURST\n"
    "memory_read     opencl/pocl   100  GB/s       1.0    104\n"
    "memory_copy     opencl/pocl  80.0  GB/s       2.5   81.5\n"
    "fma f32_vector  opencl/pocl  1234  GFLOP/s    0.4   1250\n"
    "not_converged (memory_copy opencl/pocl)\n"
    "\n"
    "llama2-7b prefill f16, batch 1  (cpu0, opencl/pocl)\n"
    "OP           SHAPE               TIME  +/- %  GFLOP/s  GB/s  ROOFLINE  +/- %  BOUND\n"
    "qkv          m128n12288k4096  10.0 ms    1.0      100  10.0     8.1 %    1.2  compute\n"
    "attn_out     m128n4096k4096         -      -        -     -         -      -  -\n"
    "ffn_gate_up  m128n22016k4096  10.0 ms    1.0        -     -         -      -  -\n"
    "not_converged (qkv m128n12288k4096)\n"
    "unstable (qkv m128n12288k4096)\n"
    "failed: verification failed: output 7 was never written (attn_out m128n4096k4096)\n"
    "skipped: weights need 9.00 GiB, the device allocates at most 2.00 GiB at once (ffn_down "
    "m128n4096k11008)\n"
    "invalid: 1300.0 GFLOP/s, more than 1.03 x the ceiling fma of 1240.0 (ffn_gate_up m128n22016k4096)\n"
    "\n"
    "llama2-13b decode f16, batch 1  (cpu0, opencl/pocl)\n"
    "OP   SHAPE            TIME  +/- %  GFLOP/s  GB/s  ROOFLINE  +/- %  BOUND\n"
    "qkv  m1n12288k4096  950 ns      -      105  52.6         -      -  -\n"
    "\n"
    "llama2-7b decode f16, batch 1  (cpu0, opencl/pocl)\n"
    "OP   SHAPE            TIME  +/- %  GFLOP/s  GB/s  ROOFLINE  +/- %  BOUND\n"
    "qkv  m1n12288k4096  950 ns      -      105  52.6         -      -  -\n"
    "measured as gemv/llama2-13b/decode/qkv/f16/m1n12288k4096 (qkv m1n12288k4096)\n"
    "\n"
    "MODEL      PHASE    DTYPE  BATCH  LENGTH  TOKENS/s  ROOFLINE   MFU    MBU\n"
    "llama2-7b  prefill  f16        1     128      12.3      50 %  25 %  4.2 %\n"
    "not counted: norm rope residual (llama2-7b prefill f16)\n"
    "\n"
    "gpu0: 显卡 X\n"
    "\n"
    "llama2-7b prefill f16, batch 1  (gpu0, opencl/test)\n"
    "OP   SHAPE               TIME  +/- %  GFLOP/s  GB/s  ROOFLINE  +/- %  BOUND\n"
    "qkv  m128n12288k4096  10.0 ms    1.0      100  10.0         -      -  -\n";

Test(report, as_long_as_it_needs) {
    write_report(0, false);
    expect_text(&text, report);
}

static const char *const narrow[] = {
    "failed: verification failed: output 7 was never written (attn_out\n"
    "  m128n4096k4096)\n"
    "skipped: weights need 9.00 GiB, the device allocates at most 2.00 GiB at once\n"
    "  (ffn_down m128n4096k11008)\n"
    "invalid: 1300.0 GFLOP/s, more than 1.03 x the ceiling fma of 1240.0 (ffn_gate_up\n"
    "  m128n22016k4096)\n",
    "ffn_gate_up  m128n22016k4096  10.0 ms    1.0        -     -         -  -\n",
};

Test(report, within_a_terminal) {
    write_report(80, false);
    cr_expect_leq(longest_line(text.data), 80);
    for (size_t i = 0; i < BM_COUNT_OF(narrow); i++)
        cr_expect_not_null(strstr(text.data, narrow[i]), "'%s' is not in\n%s", narrow[i], text.data);
}

Test(report, tells_what_befell_a_device) {
    write_report(80, false);
    cr_expect_null(strstr(text.data, "(cpu0)\n"));
    results.devices[0].flags = 2;
    write_report(80, false);
    cr_expect_not_null(strstr(text.data, "not_converged (memory_copy opencl/pocl)\nunstable (cpu0)\n"), "%s",
                       text.data);
}

/* The interval of ROOFLINE is the first that has to go. */
Test(report, a_wider_terminal_tells_more) {
    static const char *const rows[] = {"    8.1 %    1.2  compute\n", "    8.1 %  compute\n"};
    for (unsigned i = 0; i < 2; i++) {
        write_report(92 - i, false);
        cr_expect_not_null(strstr(text.data, rows[i]), "%s", text.data);
        cr_expect_leq(longest_line(text.data), 92 - i);
    }
}

/* Long reasons, every flag on every row, many missing operations, the longest shapes of the models. */
Test(report, stays_within_it_with_more_to_say) {
    struct bm_results_summary *summary = &results.devices[0].summaries[0];
    for (size_t i = 1; i < results.row_count; i++) {
        struct bm_results_row *row = &results.rows[i];
        row->flags = row->status == BM_ROW_OK ? 3 : 0;
        bm_string_set(row->key, sizeof row->key,
                      "attention/llama3.1-8b/decode/attn_window/f16/b1h128kv8d128c131072/kvf16");
        if (row->status != BM_ROW_OK)
            memset(row->reason, 'x', 300);
    }
    for (summary->missing_count = 0; summary->missing_count < BM_RESULTS_MAX_OPS; summary->missing_count++)
        snprintf(summary->missing[summary->missing_count], 32, "operation_%u", summary->missing_count);
    write_report(80, false);
    cr_expect_leq(longest_line(text.data), 80, "%s", text.data);
    for (const char *at = text.data; (at = strstr(at, "\n  ")) != NULL; at++)
        cr_expect_geq(strcspn(at + 1, "\n"), 3 + 1, "no line of one letter:\n%s", text.data);
    cr_expect_not_null(strstr(text.data, "operation_47"));
}

Test(report, alarms_are_red) {
    write_report(80, true);
    const char *failed = strstr(text.data, "\033[31mattn_out"),
               *invalid = strstr(text.data, "\033[31mffn_gate_up");
    cr_expect(failed != NULL && invalid != NULL, "%s", text.data);
    cr_expect_null(strstr(text.data, "\033[31mffn_down"), "what was skipped is no alarm");
    write_report(80, false);
    cr_expect_null(strchr(text.data, '\033'));
}

/* A device with two ways to it has two summaries of a model. */
static void add_backend(void) {
    struct bm_results_device *cpu = &results.devices[0];
    cpu->backends[cpu->backend_count++] = cpu->backends[0];
    cpu->summaries[1].tokens_per_s = 45.6;
    cpu->summaries[1].op_count = 1;
    cpu->summaries[1].lacking_count = 0;
    bm_string_set(cpu->backends[1].id, sizeof cpu->backends[1].id, "opencl/intel");
    bm_string_set(cpu->summaries[1].backend, sizeof cpu->summaries[1].backend, "opencl/intel");
}

Test(report, backends_are_told_apart) {
    add_backend();
    write_report(0, false);
    cr_expect_not_null(strstr(text.data,
                              "whole passes  (cpu0, opencl/pocl)\n"
                              "MODEL      PHASE    DTYPE  BATCH  LENGTH  TOKENS/s  ROOFLINE   MFU    MBU\n"
                              "llama2-7b  prefill  f16        1     128      12.3      50 %  25 %  4.2 %\n"
                              "not counted: norm rope residual (llama2-7b prefill f16)\n"
                              "\n"
                              "whole passes  (cpu0, opencl/intel)\n"
                              "MODEL      PHASE   DTYPE  BATCH  LENGTH  TOKENS/s  ROOFLINE  MFU  MBU\n"
                              "llama2-7b  decode  f16        8    1024      45.6         -    -    -\n"),
                       "%s", text.data);
}

/* Without a datasheet there are neither. */
Test(report, utilization_of_nothing_known_has_no_column) {
    struct bm_results_summary *summary = &results.devices[0].summaries[0];
    summary->mfu = summary->mbu = (double)NAN;
    write_report(0, false);
    cr_expect_not_null(strstr(text.data, "MODEL      PHASE    DTYPE  BATCH  LENGTH  TOKENS/s  ROOFLINE\n"
                                         "llama2-7b  prefill  f16        1     128      12.3      50 %\n"),
                       "%s", text.data);
}

/* The longest names of devices, models and shapes. */
Test(report, long_names_stay_within_a_terminal) {
    struct bm_results_device *cpu = &results.devices[0];
    add_backend();
    bm_string_set(cpu->name, sizeof cpu->name,
                  "Intel(R) Xeon(R) Platinum 8480+ CPU @ 2.00GHz with a name that goes on for longer");
    for (size_t i = 0; i < cpu->summary_count; i++)
        bm_string_set(cpu->summaries[i].model, sizeof cpu->summaries[i].model,
                      "deepseek-r1-distill-qwen-7b-tp8");
    bm_string_set(cpu->summaries[0].dtype, sizeof cpu->summaries[0].dtype, "int4af16");
    bm_string_set(cpu->ceilings[0].part, sizeof cpu->ceilings[0].part, "NUMA node 1, small pages");
    for (size_t i = 1; i < results.row_count; i++) {
        struct bm_results_row *row = &results.rows[i];
        bm_string_set(row->key, sizeof row->key,
                      "grouped_gemm/deepseek-v3/prefill/experts_gate_up/f16/m131072n4096k7168e256t8g8u4");
        bm_string_set(row->the_case.op, sizeof row->the_case.op, "experts_gate_up");
        bm_string_set(row->the_case.model, sizeof row->the_case.model, "deepseek-r1-distill-qwen-7b-tp8");
        bm_string_set(row->backend, sizeof row->backend, "opencl/something-longer");
    }
    write_report(80, false);
    cr_expect_leq(longest_line(text.data), 80, "%s", text.data);
    cr_expect_not_null(strstr(text.data, "experts_gate_up  m131072n4096"), "%s", text.data);
    cr_expect_not_null(strstr(text.data, "\ndeepseek-r1-"), "%s", text.data);
}

Test(report, nothing_measured) {
    results.device_count = 0;
    write_report(80, false);
    cr_expect_eq(text.length, 0);
    results.device_count = 2;
    results.row_count = 0;
    results.devices[0].ceiling_count = results.devices[0].summary_count = 0;
    write_report(80, false);
    expect_text(&text, "cpu0: Prüf-CPU ½, 8 cores, 32.0 GiB\ndatasheet: cpu-test\n\ngpu0: 显卡 X\n");
}

/* What is left out decides whether a pass has figures: which of them do is told. */
Test(report, a_pass_without_a_matrix_product_has_no_rate) {
    struct bm_results_summary *summary = &results.devices[0].summaries[0];
    bm_string_set(summary->lacking[summary->lacking_count++], sizeof summary->lacking[0], "rope");
    summary->tokens_per_s = summary->mfu = summary->mbu = (double)NAN;
    write_report(0, false);
    cr_expect_not_null(strstr(text.data, "MODEL      PHASE    DTYPE  BATCH  LENGTH  TOKENS/s  ROOFLINE\n"
                                         "llama2-7b  prefill  f16        1     128         -      50 %\n"
                                         "no figure of the pass without rope (llama2-7b prefill f16)\n"
                                         "not counted: norm residual (llama2-7b prefill f16)\n"),
                       "%s", text.data);
}

Test(report, small_rates_are_not_zero) {
    results.devices[0].summaries[0].tokens_per_s = 0.0042;
    write_report(0, false);
    cr_expect_not_null(strstr(text.data, "     128   0.00420  "), "%s", text.data);
}

static const char verification[] =
    "cpu0, opencl/pocl\n"
    "CASE                                                    STATUS     ERROR  TOLERANCE  CHECKED\n"
    "stream/-/-/read/-/-                                     passed   1.2e-06    5.0e-06     4096\n"
    "gemm/llama2-7b/prefill/qkv/f16/m128n12288k4096          passed   1.2e-06    5.0e-06     4096\n"
    "gemm/llama2-7b/prefill/attn_out/f16/m128n4096k4096      failed       inf    5.0e-06     4096\n"
    "gemm/llama2-7b/prefill/ffn_down/f16/m128n4096k11008     skipped        -          -        -\n"
    "gemm/llama2-7b/prefill/ffn_gate_up/f16/m128n22016k4096  invalid  1.2e-06    5.0e-06     4096\n"
    "gemv/llama2-13b/decode/qkv/f16/m1n12288k4096            passed   1.2e-06    5.0e-06     4096\n"
    "gemv/llama2-7b/decode/qkv/f16/m1n12288k4096             passed   1.2e-06    5.0e-06     4096\n"
    "verification failed: output 7 was never written (gemm/llama2-7b/prefill/attn_out/f16/m128n4096k4096)\n"
    "weights need 9.00 GiB, the device allocates at most 2.00 GiB at once "
    "(gemm/llama2-7b/prefill/ffn_down/f16/m128n4096k11008)\n"
    "1300.0 GFLOP/s, more than 1.03 x the ceiling fma of 1240.0 "
    "(gemm/llama2-7b/prefill/ffn_gate_up/f16/m128n22016k4096)\n"
    "\n"
    "gpu0, opencl/test\n"
    "CASE                                            STATUS    ERROR  TOLERANCE  CHECKED\n"
    "gemm/llama2-7b/prefill/qkv/f16/m128n12288k4096  passed  1.2e-06    5.0e-06     4096\n"
    "\n"
    "5 passed, 1 failed, 1 skipped\n";

Test(report, of_a_verification) {
    write_verification(0);
    expect_text(&text, verification);
}

Test(report, of_a_verification_within_a_terminal) {
    write_verification(80);
    cr_expect_leq(longest_line(text.data), 80);
    cr_expect_not_null(
        strstr(text.data, "CASE                                     STATUS     ERROR  TOLERANCE  CHECKED\n"),
        "%s", text.data);
    cr_expect_not_null(
        strstr(text.data, "gemm/llama2-7b/prefill/ffn_gate_up/f16/  invalid  1.2e-06    5.0e-06     4096\n"
                          "m128n22016k4096\n"),
        "%s", text.data);
}

Test(report, formats_are_listed_once) {
    size_t count = 0;
    for (; bm_export_format_get(count) != NULL; count++) {
        const struct bm_export_format *format = bm_export_format_get(count);
        cr_expect_eq(bm_export_format_find(format->name), format, "%s", format->name);
        cr_expect_neq(format->summary[0], '\0');
        cr_expect(format->write != NULL || format->write_comparison != NULL || format->write_gate != NULL,
                  "%s", format->name);
    }
    cr_expect_geq(count, 2);
    cr_expect_null(bm_export_format_get(count + 1));
    cr_expect_null(bm_export_format_find("tex"));
}

/* A way to the device that runs nothing of a model says why, and has no empty table. */
Test(report, what_was_skipped_whole_has_no_table) {
    for (size_t i = 0; i < results.row_count; i++)
        if (results.rows[i].the_case.dtype[0] != '\0') {
            results.rows[i].status = BM_ROW_SKIPPED;
            bm_string_set(results.rows[i].reason, sizeof results.rows[i].reason, "no kernel");
        }
    for (size_t d = 0; d < results.device_count; d++)
        for (size_t i = 0; i < results.devices[d].summary_count; i++)
            results.devices[d].summaries[i].op_count = 0;
    write_report(80, false);
    cr_expect_not_null(strstr(text.data, "(cpu0, opencl/pocl)\nskipped: no kernel (all)\n"), "%s", text.data);
    cr_expect_null(strstr(text.data, "OP "), "%s", text.data);
    cr_expect_null(strstr(text.data, "TOKENS/s"), "%s", text.data);
    cr_expect_null(strstr(text.data, "not counted"), "%s", text.data);
}
