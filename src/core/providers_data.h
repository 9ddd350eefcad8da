/* providers_data.h - the text of providers.jsonc, embedded in the program. */
#ifndef OB_PROVIDERS_DATA_H
#define OB_PROVIDERS_DATA_H

#include <stddef.h>

extern const unsigned char ob_providers_jsonc[];
extern const size_t ob_providers_jsonc_size;

#endif
