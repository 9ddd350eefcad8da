#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "serve.h"
#include "settings.h"

/* More would hide the line that matters. */
#define EXPIRED_TOLD_MAX 10

static ob_status read_settings(const ob_settings_flags *flags,
                               ob_settings *settings, ob_authkeys **authkeys)
{
    ob_settings_error error = {{0}};
    ob_status status = ob_settings_load(flags, settings, &error);
    if (status == OB_OK) {
        status = ob_settings_auth_keys(settings, authkeys, &error);
        if (status != OB_OK)
            ob_settings_deinit(settings);
    }
    if (status != OB_OK)
        fprintf(stderr, "one-balance: %s\n", error.message);
    return status;
}

static void tell_expired(const ob_authkey *key)
{
    char text[40] = "?";
    struct tm parts;
    time_t at = (time_t)key->expires_at;
    if (gmtime_r(&at, &parts))
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
    fprintf(stderr, "one-balance: AUTH_KEY: %s expired at %s\n", key->name,
            text);
}

/* They are let be, since callers may still be told apart by them; but a
 * gateway that lets nobody in is seldom what was meant. */
static void warn_of_expired(const ob_authkeys *keys)
{
    int64_t now_s = (int64_t)time(NULL);
    for (size_t i = 0; i < keys->count; i++)
        if (!keys->keys[i].expires_at || keys->keys[i].expires_at > now_s)
            return;
    fprintf(stderr, "one-balance: every key of AUTH_KEY has expired: nobody "
                    "can call this gateway\n");
    for (size_t i = 0; i < keys->count && i < EXPIRED_TOLD_MAX; i++)
        tell_expired(&keys->keys[i]);
}

/* What is opened at the start is told, for it stays as it is. */
static void tell_unchangeable(ob_serve *serve, const ob_config *config)
{
    ob_snapshot *snapshot = ob_gateway_acquire(ob_serve_gateway(serve));
    const ob_config *old = snapshot->config;
    if (!ob_slice_eq(old->listen, config->listen))
        fprintf(stderr, "one-balance: another \"listen\" takes effect at the "
                        "next start\n");
    if (!ob_slice_eq(old->database, config->database))
        fprintf(stderr, "one-balance: another \"database\" takes effect at "
                        "the next start\n");
    ob_snapshot_release(snapshot);
}

/* A broken configuration is refused, and the old one stays in force. */
static void reload(ob_serve *serve, const ob_settings_flags *flags)
{
    ob_settings settings = {0};
    ob_authkeys *authkeys = NULL;
    if (read_settings(flags, &settings, &authkeys) != OB_OK) {
        fprintf(stderr, "one-balance: the configuration stays as it was\n");
        return;
    }
    ob_config *config = settings.config;
    settings.config = NULL;
    ob_settings_deinit(&settings);
    if (authkeys)
        warn_of_expired(authkeys);
    tell_unchangeable(serve, config);
    if (ob_serve_reload(serve, config, authkeys) == OB_OK)
        fprintf(stderr, "one-balance: configuration reloaded\n");
    else
        fprintf(stderr, "one-balance: out of memory; the configuration stays "
                        "as it was\n");
}

static void show_made_key(const char *key)
{
    fprintf(stderr,
            "one-balance: AUTH_KEY is not set, so an auth key was made. It is "
            "shown only now:\n\n    %s\n\n",
            key);
}

static void wait_for_signals(ob_serve *serve, const ob_settings_flags *flags,
                             const sigset_t *signals)
{
    for (;;) {
        int number = 0;
        if (sigwait(signals, &number) != 0)
            continue;
        if (number == SIGTERM || number == SIGINT)
            return;
        if (number == SIGHUP)
            reload(serve, flags);
    }
}

static unsigned default_threads(void)
{
    unsigned count = uv_available_parallelism();
    return count ? count : 1;
}

static int serve(const ob_settings_flags *flags, uint64_t threads)
{
    ob_settings settings = {0};
    ob_authkeys *authkeys = NULL;
    char error[768] = {0};
    ob_serve *running;
    sigset_t signals;
    if (read_settings(flags, &settings, &authkeys) != OB_OK)
        return OB_EXIT_FAILED;
    if (authkeys)
        warn_of_expired(authkeys);
    /* Blocked before any thread is made, so that all inherit it and only
     * sigwait() sees them. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    ob_serve_options options = {.config = settings.config,
                                .authkeys = authkeys,
                                .master_key = settings.master_key,
                                .show_made_key = show_made_key,
                                .threads = threads ? (unsigned)threads
                                                   : default_threads()};
    ob_slice host;
    uint16_t port;
    const char *why;
    char shown[256] = "127.0.0.1";
    if (ob_listen_parse(settings.config->listen, &host, &port, &why) == OB_OK)
        (void)snprintf(shown, sizeof(shown),
                       ob_slice_index(host, ':') == OB_NOWHERE ? "%.*s"
                                                               : "[%.*s]",
                       (int)host.len, host.ptr);
    settings.config = NULL;
    ob_status status = ob_serve_start(&options, &running, error, sizeof(error));
    ob_settings_deinit(&settings);
    if (status != OB_OK) {
        fprintf(stderr, "one-balance: %s\n", error);
        return OB_EXIT_FAILED;
    }
    printf("listening on http://%s:%u\n", shown, ob_serve_port(running));
    (void)fflush(stdout);
    wait_for_signals(running, flags, &signals);
    if (!ob_serve_stop(running)) {
        (void)fflush(NULL);
        _exit(OB_EXIT_OK);
    }
    return OB_EXIT_OK;
}

/* In the file or the environment it would be a broken configuration; as an
 * option it is a wrong use. */
static bool check_listen(const char *text)
{
    ob_slice host;
    uint16_t port;
    const char *why;
    if (!text ||
        ob_listen_parse(ob_slice_str(text), &host, &port, &why) == OB_OK)
        return true;
    fprintf(stderr, "one-balance: --listen %s: %s\n", text, why);
    return false;
}

int ob_serve_command(int argc, char **argv)
{
    ob_settings_flags flags = {0};
    uint64_t threads = 0;
    const ob_option options[] = {
        {.name = "config",
         .value = "FILE",
         .help = "configuration; default ./one-balance.jsonc, if it is there",
         .text = &flags.config},
        {.name = "listen",
         .value = "HOST:PORT",
         .help = "default 127.0.0.1:8080; port 0 picks a free one",
         .text = &flags.listen},
        {.name = "database",
         .value = "URL",
         .help = "default ./one-balance.db",
         .text = &flags.database},
        {.name = "threads",
         .value = "N",
         .help = "loops; default: one a processor",
         .number = &threads,
         .min = 1,
         .max = 256},
    };
    const ob_usage usage = {
        .synopsis = "one-balance serve [options]",
        .about = "Runs the gateway. SIGTERM and SIGINT let running requests "
                 "finish; SIGHUP reads the configuration anew.",
        .options = options,
        .option_count = OB_LEN(options),
    };
    ob_arguments arguments;
    int exit_code;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (!check_listen(flags.listen))
        return OB_EXIT_USAGE;
    return serve(&flags, threads);
}
