/* mock_stream.h - an answer on its way to the caller. */
#ifndef OB_MOCK_STREAM_H
#define OB_MOCK_STREAM_H

#include "../gateway/server.h"
#include "mock_answer.h"

/* Between two pieces of a stream; as exact as the loop's tick. */
#define OB_MOCK_PIECE_MS 40

typedef struct ob_mock_play ob_mock_play;

/* Room for an answer, to be composed in place. NULL: out of memory. */
ob_mock_play *ob_mock_play_new(ob_exchange *exchange);
ob_mock_answer *ob_mock_play_answer(ob_mock_play *play);
/* Answers the exchange, at once or piece by piece, then frees the play; a
 * caller who leaves ends it. */
void ob_mock_play_start(ob_mock_play *play);

#endif
