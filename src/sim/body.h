/* body.h - the JSON that a caller sends: real text of the size that the
 * workload says, each turn of a conversation with the ones before it. */
#ifndef OB_SIM_BODY_H
#define OB_SIM_BODY_H

#include "../core/base/buffer.h"
#include "workload.h"

/* Appends the body of the request with that number. A token is 3 to 5 bytes:
 * nobody but the provider knows how many tokens a text has. */
void ob_sim_body_write(ob_buffer *out, const ob_sim_spec *spec, uint32_t number,
                       const ob_sim_request *request);

#endif
