/*
 * share.h - finds the keys of a lane that count together at their provider,
 * and makes one ledger of theirs.
 *
 *   A refused: its account is full │◀────── closed ──────▶│ by the told wait
 *   B sent meanwhile and answered  │    ──▶ another account
 *   B refused early, same end      │    ──▶ a match: perhaps the same
 *
 * Who is refused early, by its own count far from the limit, shares with
 * somebody. Each match counts as many bits as it is unlikely by chance, which
 * is seen in all that was sent into closed times; one answer undoes all of it.
 *
 * Private to the pool. Bounded memory a lane, made with its first refusal; no
 * call searches more than that, but two sets of keys that become one.
 */
#ifndef OB_SHARE_H
#define OB_SHARE_H

#include "lane.h"

#define OB_SHARE_CLOSED 64
#define OB_SHARE_LINKS  2048
#define OB_SHARE_ROW    8 /* links that a pair can be in */

/* An account is full. `node`: a key's id, or minus the number of a set of keys;
 * 0: unused. */
typedef struct ob_closed {
    int64_t node;
    int64_t key_id; /* that was refused */
    int64_t since_ms;
    int64_t until_ms; /* by what was told */
    uint32_t limit;
} ob_closed;

/* Two that may be of one account, or are not. */
typedef struct ob_link {
    int64_t a; /* nodes; 0: unused */
    int64_t b;
    uint32_t until_s; /* unix; of the last match, or until it is forgotten that
                         they are not */
    uint16_t bits;
    bool refuted;
} ob_link;

typedef struct ob_share {
    ob_closed closed[OB_SHARE_CLOSED]; /* a ring */
    uint32_t closed_next;
    ob_link links[OB_SHARE_LINKS]; /* rows by hash */
    int64_t last_until_ms;         /* of all that were closed */
    uint32_t sent;                 /* into the closed time of another */
    uint32_t matched;              /* of them */
    uint32_t share_last;           /* numbers given to sets of keys */
} ob_share;

/* A refusal that names a limit of requests by the minute and a wait. */
typedef struct ob_share_refusal {
    int64_t key_id;
    uint32_t place;
    uint32_t limit;
    bool early;      /* the ledger did not explain it */
    uint8_t gap_min; /* until the ledger's next test, before it */
    int64_t sent_ms;
    int64_t wait_ms;
    int64_t now_ms;
} ob_share_refusal;

/* Is so little used of the limit that another's use must have been counted? */
bool ob_share_is_early(uint32_t used, uint32_t limit);
/* The key has a ledger. `place_of` tells where another key is; its result is
 * not below the lane's capacity where that key has gone. */
void ob_share_refused(ob_lane *lane, const ob_share_refusal *refusal,
                      uint32_t (*place_of)(const void *context, int64_t id),
                      const void *context);
/* A request of the key's, sent then, was answered. */
void ob_share_answered(ob_lane *lane, uint32_t place, int64_t key_id,
                       int64_t sent_ms);
#endif
