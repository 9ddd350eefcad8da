/*
 * story.h - what the demo shows: a request of each dialect that meets a
 * revoked and limited keys, attempt by attempt.
 */
#ifndef OB_DEMO_STORY_H
#define OB_DEMO_STORY_H

#include <stdio.h>

#include "../gateway/gateway.h"
#include "mock.h"

#define OB_DEMO_AUTH_KEY "demo"

typedef struct ob_story {
    FILE *out;
    bool colour;
    ob_mock *mock;
    ob_gateway *gateway;
    const char *host;      /* where a caller of this machine connects to */
    const char *host_text; /* the same as a URL has it */
    uint16_t port;
} ob_story;

/* A provider of the demo: its slug, and what follows the mock's address in
 * its base URL. */
typedef struct ob_demo_provider {
    const char *slug;
    const char *base_path;
} ob_demo_provider;

#define OB_DEMO_PROVIDERS 3
extern const ob_demo_provider ob_demo_providers[OB_DEMO_PROVIDERS];
/* The keys of every one of them, one a line; the bad ones come first, since
 * keys that were never used are taken in their order. */
extern const char ob_demo_keys[];

/* Sends the requests and tells what happened. False: one did not get its
 * answer, which is told as well, or the output failed. */
bool ob_story_tell(const ob_story *story);
/* What to try now. */
void ob_story_invite(const ob_story *story);

#endif
