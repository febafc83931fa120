/* Private to the export module: whether bytes are UTF-8. Paths may be anything. */
#ifndef BM_UTF8_H
#define BM_UTF8_H

#include <stddef.h>

#define BM_UTF8_REPLACEMENT "\xef\xbf\xbd"

/* Bytes of the character that text begins with (RFC 3629); 0 at the end and where it begins with none. */
size_t bm_utf8_length(const char *text);

#endif
