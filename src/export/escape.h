/* Private to the export module: texts inside other languages. Bytes that are not UTF-8 become U+FFFD
 * everywhere. */
#ifndef BM_ESCAPE_H
#define BM_ESCAPE_H

#include "bm/base.h"

/* A cell of a Markdown table: no bars, line breaks, HTML or emphasis of its own. */
void bm_escape_markdown(struct bm_text *text, const char *value);
/* A field of RFC 4180, in quotes where it needs them. */
void bm_escape_csv(struct bm_text *text, const char *value);
/* Content or an attribute's value of XML 1.0; characters that it cannot hold become U+FFFD. */
void bm_escape_xml(struct bm_text *text, const char *value);
/* The message of a GitHub workflow command; in_property: the value of one of its properties. */
void bm_escape_github(struct bm_text *text, const char *value, bool in_property);
/* A label's value of OpenMetrics, without its quotes. */
void bm_escape_openmetrics(struct bm_text *text, const char *value);

#endif
