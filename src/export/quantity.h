/* Private to the export module: numbers with units, as people read them. Unknown (NaN, 0 bytes) is "-". */
#ifndef BM_QUANTITY_H
#define BM_QUANTITY_H

#include "bm/base.h"

enum { BM_QUANTITY_SIZE = 24 };

void bm_quantity_number(char text[BM_QUANTITY_SIZE], double value);  /* three significant digits, "1234" */
void bm_quantity_percent(char text[BM_QUANTITY_SIZE], double share); /* 0.5 -> "50 %" */
void bm_quantity_time(char text[BM_QUANTITY_SIZE], double ns);       /* "1.23 ms" */
void bm_quantity_bytes(char text[BM_QUANTITY_SIZE], double bytes);   /* "1.5 GiB" */
void bm_quantity_count(char text[BM_QUANTITY_SIZE], double value);   /* 6.7e9 -> "6.74 G" */

#endif
