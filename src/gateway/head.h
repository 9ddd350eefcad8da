/*
 * head.h - the head of an HTTP/1.1 message, read with llhttp in its strict
 * mode, for requests and responses alike.
 *
 * Fields are kept as offsets from the head's first byte, so that the bytes
 * may move (from the loop's read buffer to a connection's own) between two
 * feeds.
 */
#ifndef OB_HEAD_H
#define OB_HEAD_H

#include <llhttp.h>

#include "../core/base/base.h"
#include "server.h"

typedef struct ob_head_field {
    uint32_t name_at;
    uint32_t name_len;
    uint32_t value_at;
    uint32_t value_len;
} ob_head_field;

typedef enum ob_framing {
    OB_FRAMING_NONE,   /* no body follows */
    OB_FRAMING_LENGTH, /* content_length bytes */
    OB_FRAMING_CHUNKED,
    OB_FRAMING_CLOSE, /* a response up to the end of the connection */
} ob_framing;

typedef struct ob_head {
    const char *base; /* first byte of the head, in the feed under way */
    uint32_t length;  /* of the head, once it is complete */
    uint32_t target_at;
    uint32_t target_len;
    uint32_t count;
    bool complete;
    bool broken; /* too many fields, a field in two pieces, a bad coding */
    bool keep_alive;
    bool upgrade;
    bool expects_continue;
    uint8_t minor;
    uint16_t status;
    uint8_t method; /* llhttp_method_t */
    ob_framing framing;
    uint64_t content_length;
    ob_head_field fields[OB_HEADERS_MAX];
} ob_head;

/*
 * What one feed found of a body; only chunked ones go through the parser.
 * Chunks are moved together inside the fed bytes, so that there is one piece.
 */
typedef struct ob_parse {
    llhttp_t parser;
    ob_head *head; /* while a head is read */
    bool no_body;  /* the response to a HEAD */
    bool message_end;
    char *body;
    size_t body_len;
} ob_parse;

void ob_parse_init(ob_parse *parse, llhttp_type_t type);
/* Gets ready for the next message; `head` is the room for its head. */
void ob_parse_begin(ob_parse *parse, ob_head *head, bool no_body);

/*
 * Feeds bytes of a head that begins at `base`; `bytes` is base plus what was
 * fed before. Stops behind the head where the body is not chunked, at the end
 * of the message where it is, or when all is fed. *used counts the bytes
 * taken. OB_INVALID: *why is a static text.
 */
OB_MUST_USE ob_status ob_parse_feed(ob_parse *parse, const char *base,
                                    char *bytes, size_t len, size_t *used,
                                    const char **why);

/* The fields as slices of `base`; room for OB_HEADERS_MAX. */
void ob_head_fields(const ob_head *head, const char *base, ob_header *fields);

#endif
