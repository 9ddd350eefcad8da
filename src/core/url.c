/*
 * url.c - addresses as people write them: base URLs, HOST:PORT, databases.
 *
 * Strict: what two parsers could read in two ways is refused, since a base
 * URL decides where provider keys are sent.
 */
#include "config.h"

#define URL_BYTES_MAX   2048
#define HOST_BYTES_MAX  253
#define LABEL_BYTES_MAX 63
#define NAME_BYTES_MAX  32

static ob_status refuse(const char **why, const char *text)
{
    *why = text;
    return OB_INVALID;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    c = ob_lower(c);
    return is_digit(c) || (c >= 'a' && c <= 'z');
}

static bool is_hex(char c)
{
    c = ob_lower(c);
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* The length of the "{name}" that `s` begins with; 0 when it is none. */
static size_t placeholder_length(ob_slice s)
{
    size_t end = ob_slice_index(s, '}');
    if (end == OB_NOWHERE || end < 2 || end > NAME_BYTES_MAX || s.ptr[0] != '{')
        return 0;
    for (size_t i = 1; i < end; i++)
        if (!is_alnum(s.ptr[i]) && s.ptr[i] != '_')
            return 0;
    return end + 1;
}

/* A label of a host name; names in braces stand for letters. */
static bool label_valid(ob_slice label)
{
    if (label.len == 0 || label.len > LABEL_BYTES_MAX + NAME_BYTES_MAX)
        return false;
    if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        size_t skip = placeholder_length(ob_slice_from(label, i));
        if (skip)
            i += skip - 1;
        else if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-' &&
                 label.ptr[i] != '_')
            return false;
    }
    return true;
}

static bool host_name_valid(ob_slice host)
{
    if (host.len == 0 || host.len > HOST_BYTES_MAX)
        return false;
    if (host.ptr[host.len - 1] == '.')
        host.len--; /* a root dot is harmless */
    ob_slice rest = host;
    while (rest.ptr)
        if (!label_valid(ob_slice_cut(&rest, '.')))
            return false;
    return true;
}

bool ob_host_label_valid(ob_slice value)
{
    if (value.len == 0 || value.len > LABEL_BYTES_MAX || value.ptr[0] == '-' ||
        value.ptr[value.len - 1] == '-')
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (!is_alnum(value.ptr[i]) && value.ptr[i] != '-')
            return false;
    return true;
}

static bool ipv4_valid(ob_slice s)
{
    size_t parts = 0;
    while (s.ptr) {
        ob_slice part = ob_slice_cut(&s, '.');
        uint64_t value = 0;
        bool padded = part.len > 1 && part.ptr[0] == '0';
        if (ob_slice_u64(part, &value) != OB_OK || value > 255 || padded)
            return false;
        parts++;
    }
    return parts == 4;
}

/* "::1", "2001:db8::2", "::ffff:192.0.2.1"; no zone. */
static bool ipv6_valid(ob_slice s)
{
    size_t groups = 0, at = 0;
    bool gap = false;
    if (ob_slice_starts(s, OB_S("::"))) {
        gap = true;
        at = 2;
    }
    while (at < s.len) {
        size_t digits = 0;
        while (at + digits < s.len && is_hex(s.ptr[at + digits]))
            digits++;
        if (at + digits < s.len && s.ptr[at + digits] == '.')
            return ipv4_valid(ob_slice_from(s, at)) &&
                   (gap ? groups < 6 : groups == 6);
        if (digits == 0 || digits > 4)
            return false;
        groups++;
        at += digits;
        if (at == s.len)
            break;
        if (s.ptr[at++] != ':' || at == s.len)
            return false;
        if (s.ptr[at] == ':') {
            if (gap)
                return false;
            gap = true;
            at++;
        }
    }
    return gap ? groups < 8 : groups == 8;
}

static bool port_parse(ob_slice s, uint16_t *port)
{
    uint64_t value = 0;
    if (s.len > 5 || ob_slice_u64(s, &value) != OB_OK || value > 65535)
        return false;
    *port = (uint16_t)value;
    return true;
}

/*
 * Takes "host", "host:port" or "[ipv6]:port" apart. *port_text is {NULL, 0}
 * where there is no ':'.
 */
static ob_status split_authority(ob_slice text, ob_slice *host,
                                 ob_slice *port_text, const char **why)
{
    *port_text = (ob_slice){NULL, 0};
    if (text.len && text.ptr[0] == '[') {
        size_t end = ob_slice_index(text, ']');
        if (end == OB_NOWHERE)
            return refuse(why, "the ']' behind the IPv6 address is missing");
        *host = ob_slice_make(text.ptr + 1, end - 1);
        ob_slice rest = ob_slice_from(text, end + 1);
        if (rest.len && rest.ptr[0] != ':')
            return refuse(why, "behind ']' only a port may stand");
        if (rest.len)
            *port_text = ob_slice_from(rest, 1);
        return ipv6_valid(*host)
                   ? OB_OK
                   : refuse(why, "what is in brackets is not an IPv6 address");
    }
    size_t colon = ob_slice_index(text, ':');
    *host = colon == OB_NOWHERE ? text : ob_slice_head(text, colon);
    if (colon != OB_NOWHERE)
        *port_text = ob_slice_from(text, colon + 1);
    if (ob_slice_index(*port_text, ':') != OB_NOWHERE)
        return refuse(why, "an IPv6 address is written in brackets, like "
                           "[::1]:8080");
    return OB_OK;
}

static ob_status parse_scheme(ob_slice text, ob_url *url, ob_slice *rest,
                              const char **why)
{
    if (ob_slice_starts_nocase(text, OB_S("https://"))) {
        url->tls = true;
        url->port = 443;
        *rest = ob_slice_from(text, 8);
        return OB_OK;
    }
    if (ob_slice_starts_nocase(text, OB_S("http://"))) {
        url->tls = false;
        url->port = 80;
        *rest = ob_slice_from(text, 7);
        return OB_OK;
    }
    return refuse(why, "a URL begins with https:// or http://");
}

static ob_status parse_authority(ob_slice authority, ob_url *url,
                                 const char **why)
{
    ob_slice port = {NULL, 0};
    if (ob_slice_index(authority, '@') != OB_NOWHERE)
        return refuse(why, "a URL may not hold a user or a password");
    ob_status status = split_authority(authority, &url->host, &port, why);
    if (status != OB_OK)
        return status;
    bool bracketed = authority.len && authority.ptr[0] == '[';
    if (!bracketed && !host_name_valid(url->host))
        return refuse(why, "the host is not a name or an address");
    if (port.ptr && (!port_parse(port, &url->port) || url->port == 0))
        return refuse(why, "the port is a number from 1 to 65535");
    return OB_OK;
}

static bool segment_valid(ob_slice segment)
{
    if (segment.len == 0 || ob_slice_eq(segment, OB_S(".")) ||
        ob_slice_eq(segment, OB_S("..")))
        return false;
    if (placeholder_length(segment) == segment.len)
        return true;
    for (size_t i = 0; i < segment.len; i++) {
        char c = segment.ptr[i];
        if (c == '%') {
            if (segment.len - i < 3 || !is_hex(segment.ptr[i + 1]) ||
                !is_hex(segment.ptr[i + 2]))
                return false;
            i += 2;
        } else if (!is_alnum(c) && !memchr("-._~!$&'()*+,;=:@", c, 17)) {
            return false;
        }
    }
    return true;
}

static ob_status parse_path(ob_slice path, ob_url *url, const char **why)
{
    while (path.len && path.ptr[path.len - 1] == '/')
        path.len--;
    url->path = path;
    ob_slice rest = ob_slice_from(path, 1);
    if (path.len == 0)
        return OB_OK;
    while (rest.ptr)
        if (!segment_valid(ob_slice_cut(&rest, '/')))
            return refuse(why, "the path may hold plain segments and whole "
                               "{names}, no empty, '.' or '..' segment");
    return OB_OK;
}

ob_status ob_url_parse(ob_slice text, ob_url *url, const char **why)
{
    ob_url parsed = {.text = text};
    ob_slice rest = {NULL, 0};
    if (text.len > URL_BYTES_MAX)
        return refuse(why, "a URL has at most 2048 bytes");
    ob_status status = parse_scheme(text, &parsed, &rest, why);
    if (status != OB_OK)
        return status;
    if (ob_slice_index(rest, '?') != OB_NOWHERE)
        return refuse(why, "a URL may not hold a query here");
    if (ob_slice_index(rest, '#') != OB_NOWHERE)
        return refuse(why, "a URL may not hold a fragment");
    size_t slash = ob_slice_index(rest, '/');
    ob_slice authority =
        slash == OB_NOWHERE ? rest : ob_slice_head(rest, slash);
    status = parse_authority(authority, &parsed, why);
    if (status == OB_OK)
        status = parse_path(ob_slice_from(rest, authority.len), &parsed, why);
    if (status == OB_OK)
        *url = parsed;
    return status;
}

ob_status ob_listen_parse(ob_slice text, ob_slice *host, uint16_t *port,
                          const char **why)
{
    ob_slice name = {NULL, 0}, port_text = {NULL, 0};
    ob_status status = split_authority(text, &name, &port_text, why);
    if (status != OB_OK)
        return status;
    if (!port_text.ptr || !port_parse(port_text, port))
        return refuse(why, "expected HOST:PORT with a port from 0 to 65535, "
                           "like 127.0.0.1:8080 or [::1]:8080");
    bool bracketed = text.ptr[0] == '[';
    if (name.len == 0 || ob_slice_eq(name, OB_S("*")))
        return refuse(why, "the host is missing: 0.0.0.0:PORT or [::]:PORT "
                           "listens on every address");
    bool numeric = !bracketed;
    for (size_t i = 0; i < name.len; i++)
        numeric = numeric && (is_digit(name.ptr[i]) || name.ptr[i] == '.');
    if (numeric ? !ipv4_valid(name)
                : !bracketed && (!host_name_valid(name) ||
                                 ob_slice_index(name, '{') != OB_NOWHERE))
        return refuse(why, "the host is not a name or an address");
    *host = name;
    return OB_OK;
}

ob_status ob_database_parse(ob_slice text, ob_slice *path, const char **why)
{
    ob_slice rest = text;
    if (ob_slice_starts_nocase(text, OB_S("postgres://")) ||
        ob_slice_starts_nocase(text, OB_S("postgresql://")))
        return refuse(why, "PostgreSQL is not built in, only SQLite is: name "
                           "a file, like one-balance.db");
    if (ob_slice_starts_nocase(text, OB_S("sqlite:"))) {
        rest = ob_slice_from(text, 7);
        if (ob_slice_starts(rest, OB_S("//")))
            rest = ob_slice_from(rest, 2);
        else if (rest.len == 0)
            return refuse(why, "the file behind \"sqlite:\" is missing");
        if (rest.ptr == text.ptr + 9 && (!rest.len || rest.ptr[0] != '/'))
            return refuse(why, "write sqlite:FILE, or sqlite:///DIR/FILE for "
                               "an absolute path");
    } else if (ob_slice_find(text, OB_S("://")) != OB_NOWHERE ||
               ob_slice_starts_nocase(text, OB_S("file:"))) {
        return refuse(why, "unknown kind of database: name a SQLite file, "
                           "like one-balance.db or sqlite:///DIR/FILE");
    }
    if (rest.len == 0)
        return refuse(why, "the name of the database's file is empty");
    if (rest.ptr[0] == ':')
        return refuse(why, "a database in memory would lose every key: name "
                           "a file");
    if (ob_slice_index(rest, 0) != OB_NOWHERE)
        return refuse(why, "a file name may not hold a NUL");
    *path = rest;
    return OB_OK;
}
