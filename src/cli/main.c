/* main.c - one binary, one file a command. */
#include <stdio.h>
#include <string.h>

#include "../core/config.h"
#include "auth_keys_command.h"
#include "config_command.h"
#include "demo_command.h"
#include "deploy_command.h"
#include "export_command.h"
#include "import_command.h"
#include "keys_command.h"
#include "options.h"
#include "serve.h"
#include "simulate_command.h"
#include "verdict_command.h"

static int version_command(int argc, char **argv)
{
    static const ob_usage usage = {.synopsis = "one-balance version",
                                   .about = "Prints the version."};
    ob_arguments arguments;
    int exit_code;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    puts("one-balance " OB_VERSION);
    return OB_EXIT_OK;
}

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", ob_serve_command, "run the gateway"},
    {"keys", ob_keys_command, "add, list, test, block, activate, remove keys"},
    {"auth-keys", ob_auth_keys_command, "who may call: list, add, revoke"},
    {"verdict", ob_verdict_command, "what a provider's response would mean"},
    {"config", ob_config_command, "check a configuration file"},
    {"import", ob_import_command, "take keys over from elsewhere"},
    {"export", ob_export_command, "write the keys out"},
    {"demo", ob_demo_command, "see it work, with no account anywhere"},
    {"simulate", ob_simulate_command, "how many keys a load needs"},
    {"deploy", ob_deploy_command, "put the gateway on Cloudflare"},
    {"version", version_command, "print the version"},
};

static void help(FILE *out)
{
    fputs("One Balance: a pool of provider keys behind one address.\n\n"
          "usage: one-balance COMMAND [options]\n\ncommands:\n",
          out);
    for (size_t i = 0; i < OB_LEN(commands); i++)
        fprintf(out, "  %-9s  %s\n", commands[i].name, commands[i].help);
    fputs("\n\"one-balance COMMAND --help\" tells more of each.\n", out);
}

static int unknown(const char *name)
{
    ob_slice names[OB_LEN(commands)];
    for (size_t i = 0; i < OB_LEN(commands); i++)
        names[i] = ob_slice_str(commands[i].name);
    ob_slice near = ob_nearest(ob_slice_str(name), names, OB_LEN(commands));
    fprintf(stderr, "one-balance: there is no command \"%s\"", name);
    if (near.len)
        fprintf(stderr, "; did you mean \"%.*s\"?", (int)near.len, near.ptr);
    fputs("\n\n", stderr);
    help(stderr);
    return OB_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help(stderr);
        return OB_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h") ||
        !strcmp(name, "help")) {
        help(stdout);
        return OB_EXIT_OK;
    }
    if (!strcmp(name, "--version"))
        name = "version";
    for (size_t i = 0; i < OB_LEN(commands); i++)
        if (!strcmp(name, commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    return unknown(name);
}
