/* Private to the export module: what the reports of a gate share. */
#ifndef BM_EXPORT_GATE_H
#define BM_EXPORT_GATE_H

#include "bm/gate.h"
#include "quantity.h"

enum { BM_GATE_SUMMARY_SIZE = 400 };

/* A logarithm as a signed change in percent, "+5.1 %"; "-": unknown. */
void bm_quantity_change(char text[BM_QUANTITY_SIZE], double ln);
/* "+3.0 to +7.2 %". */
void bm_quantity_change_interval(char text[2 * BM_QUANTITY_SIZE], double low, double high);
/* "1 regressed, 2 inconclusive, 17 unchanged of 20 rows". */
void bm_gate_summary(const struct bm_gate *gate, char text[BM_GATE_SUMMARY_SIZE]);
/* "margin 1.0 %, alpha 0.05", with where the margin comes from. */
void bm_gate_rules(const struct bm_gate *gate, char text[BM_GATE_SUMMARY_SIZE]);
/* "key (cpu0, opencl/pocl)". */
void bm_gate_row_name(const struct bm_gate_row *row, char text[256]);
/* The change with its interval and what could have been seen, or why there is none: one sentence. */
void bm_gate_row_sentence(const struct bm_gate_row *row, char text[BM_GATE_SUMMARY_SIZE]);
/* Verdicts that a gate must not pass over: exit codes 1 and 4. */
bool bm_verdict_fails(enum bm_verdict verdict);

#endif
