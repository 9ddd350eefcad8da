#include "demo_command.h"

#include <dirent.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "../core/base/buffer.h"
#include "../core/providers_data.h"
#include "../demo/client.h"
#include "../demo/mock.h"
#include "../demo/story.h"
#include "options.h"
#include "serve.h"
#include "store_access.h"

#define DEFAULT_LISTEN "127.0.0.1:8080"
#define MASTER_BYTES   32

/* What is to be undone at the end, as far as it was done. */
typedef struct demo {
    char directory[256]; /* of the database; empty: not made */
    char database[288];
    char master[2 * MASTER_BYTES + 1];
    char listen[300];
    char host[256]; /* without brackets */
    uint16_t port;
    ob_mock *mock;
    ob_serve *serve;
} demo;

static bool fail(const char *what, const char *why)
{
    fprintf(stderr, "one-balance: %s: %s\n", what, why);
    return false;
}

/* ---- where ---- */

static bool read_listen(demo *d, const char *text)
{
    ob_slice host;
    const char *why = "";
    if (ob_listen_parse(ob_slice_str(text), &host, &d->port, &why) != OB_OK)
        return fail("--listen", why);
    if (host.len >= sizeof(d->host))
        return fail("--listen", "the host is too long");
    (void)snprintf(d->host, sizeof(d->host), "%.*s", (int)host.len, host.ptr);
    return true;
}

static void write_listen(demo *d)
{
    (void)snprintf(d->listen, sizeof(d->listen),
                   strchr(d->host, ':') ? "[%s]:%u" : "%s:%u", d->host,
                   d->port);
}

static bool make_directory(demo *d)
{
    const char *parent = getenv("TMPDIR");
    char path[sizeof(d->directory)];
    int len = snprintf(path, sizeof(path), "%s/one-balance-demo-XXXXXX",
                       parent && parent[0] ? parent : "/tmp");
    if (len < 0 || (size_t)len >= sizeof(path))
        return fail("TMPDIR", "the path is too long");
    if (!mkdtemp(path))
        return fail("cannot make a directory for the database", path);
    memcpy(d->directory, path, sizeof(path));
    (void)snprintf(d->database, sizeof(d->database), "%s/one-balance.db", path);
    return true;
}

/* SQLite has files beside the database's own. */
static void remove_directory(demo *d)
{
    struct dirent *entry;
    char path[sizeof(d->directory) + sizeof(entry->d_name) + 2];
    DIR *directory = d->directory[0] ? opendir(d->directory) : NULL;
    if (!directory)
        return;
    while ((entry = readdir(directory))) {
        (void)snprintf(path, sizeof(path), "%s/%s", d->directory,
                       entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlink(path);
    }
    (void)closedir(directory);
    (void)rmdir(d->directory);
}

/* ---- the gateway's parts ---- */

static bool make_master(demo *d)
{
    uint8_t bytes[MASTER_BYTES];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return fail("cannot make a master key", "no random bytes");
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(d->master + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

static bool add_keys(const demo *d)
{
    ob_store *store;
    ob_store_error error = {{0}};
    ob_status status = ob_store_open(ob_slice_str(d->database),
                                     ob_slice_str(d->master), &store, &error);
    if (status != OB_OK)
        return fail("the demo's database", error.message);
    for (size_t i = 0; i < OB_DEMO_PROVIDERS && status == OB_OK; i++) {
        ob_add_result result = {0};
        ob_new_key like = {.provider = ob_slice_str(ob_demo_providers[i].slug),
                           .remark = OB_S("demo")};
        status = ob_store_add_keys(store, &like, ob_slice_str(ob_demo_keys),
                                   ob_now_ms(), &result, &error);
    }
    ob_store_close(store);
    return status == OB_OK || fail("the demo's keys", error.message);
}

static void write_config(const demo *d, ob_buffer *out)
{
    char url[64];
    ob_buffer_append_str(out, "{\"listen\":");
    ob_buffer_append_json(out, ob_slice_str(d->listen));
    ob_buffer_append_str(out, ",\"database\":");
    ob_buffer_append_json(out, ob_slice_str(d->database));
    ob_buffer_append_str(out, ",\"timeouts\":{\"drain_ms\":2000}");
    ob_buffer_append_str(out, ",\"providers\":{");
    for (size_t i = 0; i < OB_DEMO_PROVIDERS; i++) {
        if (i)
            ob_buffer_append_char(out, ',');
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s",
                       ob_mock_port(d->mock), ob_demo_providers[i].base_path);
        ob_buffer_append_json(out, ob_slice_str(ob_demo_providers[i].slug));
        ob_buffer_append_str(out, ":{\"base_url\":");
        ob_buffer_append_json(out, ob_slice_str(url));
        ob_buffer_append_char(out, '}');
    }
    ob_buffer_append_str(out, "}}");
}

static bool make_config(const demo *d, ob_config **config)
{
    const ob_slice builtin = {(const char *)ob_providers_jsonc,
                              ob_providers_jsonc_size};
    ob_buffer text = {0};
    ob_config_error error = {0};
    write_config(d, &text);
    ob_status status = ob_config_parse(ob_buffer_slice(&text), builtin, NULL,
                                       NULL, config, &error);
    ob_buffer_deinit(&text);
    if (status == OB_OK)
        return true;
    return fail("the demo's configuration",
                error.message[0] ? error.message : ob_status_text(status));
}

static bool start_gateway(demo *d)
{
    ob_serve_options options = {.master_key = ob_slice_str(d->master),
                                .threads = 1};
    ob_authkey_error auth_error = {0};
    char error[768] = {0};
    if (!make_config(d, &options.config))
        return false;
    if (ob_authkeys_parse(OB_S(OB_DEMO_AUTH_KEY), NULL, 0, &options.authkeys,
                          &auth_error) != OB_OK) {
        ob_config_free(options.config);
        return fail("the demo's auth key", auth_error.message);
    }
    return ob_serve_start(&options, &d->serve, error, sizeof(error)) == OB_OK ||
           fail("demo", error);
}

static bool start(demo *d)
{
    const char *why = "";
    if (!make_directory(d) || !make_master(d) || !add_keys(d))
        return false;
    if (ob_mock_start(0, &d->mock, &why) != OB_OK)
        return fail("cannot start the mock provider", why);
    return start_gateway(d);
}

static void stop(demo *d)
{
    if (d->serve)
        (void)ob_serve_stop(d->serve); /* it looks up no names */
    if (d->mock)
        ob_mock_stop(d->mock);
    remove_directory(d);
    ob_wipe(d->master, sizeof(d->master));
}

/* ---- the command ---- */

/* Which address this machine's callers connect to. */
static const char *connect_host(const demo *d)
{
    if (strcmp(d->host, "0.0.0.0") == 0)
        return "127.0.0.1";
    return strcmp(d->host, "::") == 0 ? "::1" : d->host;
}

static bool show(demo *d, bool once)
{
    char host_text[sizeof(d->host) + 2];
    const char *host = connect_host(d);
    ob_story story = {.out = stdout,
                      .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
                      .mock = d->mock,
                      .gateway = ob_serve_gateway(d->serve),
                      .host = host,
                      .host_text = host_text,
                      .port = ob_serve_port(d->serve)};
    (void)snprintf(host_text, sizeof(host_text),
                   strchr(host, ':') ? "[%s]" : "%s", host);
    bool good = ob_story_tell(&story);
    if (!once)
        ob_story_invite(&story);
    return good;
}

static int run(demo *d, bool once)
{
    sigset_t signals;
    int number = 0;
    /* Blocked before any thread is made, so that only sigwait() sees them. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP); /* the terminal was closed */
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    bool good = start(d);
    if (good)
        good = show(d, once);
    /* What failed is told; the gateway may be looked at all the same. */
    if (d->serve && !once)
        while (sigwait(&signals, &number) != 0)
            continue;
    stop(d);
    return good ? OB_EXIT_OK : OB_EXIT_FAILED;
}

int ob_demo_command(int argc, char **argv)
{
    demo d = {.mock = NULL};
    const char *listen = NULL;
    bool once = false;
    const ob_option options[] = {
        {.name = "listen",
         .value = "HOST:PORT",
         .help = "default " DEFAULT_LISTEN "; a free port if busy",
         .text = &listen},
        {.name = "once",
         .help = "end after the requests that are shown",
         .flag = &once},
    };
    const ob_usage usage = {
        .synopsis = "one-balance demo [options]",
        .about = "Shows the gateway at work, with no account anywhere: in "
                 "front of a mock\nprovider whose keys are good, rate-limited "
                 "and revoked. Nothing is kept.",
        .options = options,
        .option_count = OB_LEN(options),
    };
    ob_arguments arguments;
    int exit_code;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (!read_listen(&d, listen ? listen : DEFAULT_LISTEN))
        return OB_EXIT_USAGE;
    if (!listen && !ob_client_port_is_free(d.host, d.port))
        d.port = 0;
    write_listen(&d);
    return run(&d, once);
}
