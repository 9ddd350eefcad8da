/*
 * mock.h - a provider that needs no account: OpenAI, Anthropic and Gemini on
 * one port of this machine.
 *
 * A key does what its text says: "good" answers, "revoked", "invalid" and any
 * other are not accepted, "limited", "daily" and "broke" are out of quota for
 * a minute, a day, for good, "flaky" fails every other time, "slow" answers
 * late. Nothing is stored and nothing leaves the process.
 */
#ifndef OB_MOCK_H
#define OB_MOCK_H

#include "../core/base/base.h"
#include "../core/base/secret.h"
#include "../core/provider.h"

typedef struct ob_mock ob_mock;

/* One request that the mock has answered: an attempt of the gateway. */
typedef struct ob_mock_attempt {
    char masked[OB_MASK_MAX]; /* of the provider key it came with */
    int status;
    char words[160]; /* the error's message, cut to fit; empty: it answered */
} ob_mock_attempt;

/* Listens on 127.0.0.1; port 0 picks a free one. OB_IO: *why as of
 * ob_server_start(). */
OB_MUST_USE ob_status ob_mock_start(uint16_t port, ob_mock **mock,
                                    const char **why);
uint16_t ob_mock_port(const ob_mock *mock);
/* Takes the attempts since the last call, oldest first and at most `max`.
 * Older ones than the last 32 are forgotten. From any thread. */
size_t ob_mock_take_attempts(ob_mock *mock, ob_mock_attempt *attempts,
                             size_t max);
/* Ends what runs, within a second, and frees. */
void ob_mock_stop(ob_mock *mock);

#endif
