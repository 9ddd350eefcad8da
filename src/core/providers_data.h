/* providers_data.h - texts that are embedded in the program: providers.jsonc,
 * and what tokens cost (cost.h). */
#ifndef OB_PROVIDERS_DATA_H
#define OB_PROVIDERS_DATA_H

#include <stddef.h>

extern const unsigned char ob_providers_jsonc[];
extern const size_t ob_providers_jsonc_size;
extern const unsigned char ob_prices_text[];
extern const size_t ob_prices_text_size;

#endif
