/*
 * deploy_command.c - `one-balance deploy` runs `npm run deploy` of a checkout:
 * the Worker is built from its sources, which the binary does not hold.
 */
#include "deploy_command.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

/* What a checkout is known by. */
#define MARK "/worker/deploy/deploy.mjs"

/* What goes to npm before the arguments, and the NULL behind them. */
#define NPM_ARGUMENTS 7

static const char help[] =
    "usage: one-balance deploy [--source DIR] [OPTIONS]\n"
    "\n"
    "Deploys the gateway as a Cloudflare Worker with a D1 database, or "
    "updates\n"
    "it: `npm run deploy` of a checkout of One Balance. That needs node 20.3 "
    "or\n"
    "newer and a Cloudflare account.\n"
    "\n"
    "  --source DIR  the checkout (default: the current folder, one above it, "
    "or\n"
    "                the one that this program was built in)\n"
    "  --help\n"
    "\n"
    "OPTIONS go to the deployment as they are: --name, --config, --dry-run "
    "and\n"
    "others, which `npm run deploy -- --help` in the checkout tells.\n";

/* Takes the last part off; false: there is none left. */
static bool go_up(char *folder)
{
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return false;
    *slash = 0;
    return true;
}

static bool is_checkout(const char *folder)
{
    char file[PATH_MAX + sizeof(MARK)];
    snprintf(file, sizeof(file), "%s" MARK, folder);
    return access(file, R_OK) == 0;
}

/* The folder, or the nearest one above it that is a checkout. */
static bool find_above(char *folder)
{
    do {
        if (is_checkout(folder))
            return true;
    } while (go_up(folder));
    return false;
}

/* The folder that this program lies in. */
static bool own_folder(char folder[PATH_MAX])
{
    ssize_t size = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    if (size <= 0)
        return false;
    folder[size] = 0;
    return go_up(folder);
}

static bool find_checkout(const char *source, char folder[PATH_MAX])
{
    if (source) {
        if (realpath(source, folder) && is_checkout(folder))
            return true;
        fprintf(stderr,
                "%s is no checkout of One Balance: there is no "
                "worker/deploy/deploy.mjs in it\n",
                source);
        return false;
    }
    if (getcwd(folder, PATH_MAX) && find_above(folder))
        return true;
    if (own_folder(folder) && find_above(folder))
        return true;
    fputs("deploying needs One Balance's sources, and neither this folder nor "
          "one above it\n"
          "has them. Go to a checkout (git clone), or name it: "
          "one-balance deploy --source DIR\n",
          stderr);
    return false;
}

/* Takes --source out of argv. False: it has no value. */
static bool take_source(int *argc, char **argv, const char **source)
{
    static const char option[] = "--source";
    size_t len = sizeof(option) - 1;
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        if (strncmp(argv[i], option, len) != 0 ||
            (argv[i][len] != 0 && argv[i][len] != '=')) {
            argv[kept++] = argv[i];
            continue;
        }
        *source = argv[i][len] ? argv[i] + len + 1 : argv[++i];
        if (i >= *argc || !**source)
            return false;
    }
    *argc = kept;
    return true;
}

static int run_npm(char *folder, int argc, char **argv)
{
    const char *first[] = {"npm",      "--prefix", folder, "run",
                           "--silent", "deploy",   "--"};
    char **all = calloc((size_t)argc + NPM_ARGUMENTS, sizeof(*all));
    if (!all) {
        fputs("out of memory\n", stderr);
        return OB_EXIT_FAILED;
    }
    memcpy(all, first, sizeof(first));
    for (int i = 1; i < argc; i++)
        all[NPM_ARGUMENTS + i - 1] = argv[i];
    execvp("npm", all);
    if (errno == ENOENT)
        fputs("deploying needs npm, and there is none: install node 20.3 or "
              "newer (https://nodejs.org)\n",
              stderr);
    else
        fprintf(stderr, "npm cannot be run: %s\n", strerror(errno));
    free(all);
    return OB_EXIT_FAILED;
}

int ob_deploy_command(int argc, char **argv)
{
    char folder[PATH_MAX];
    const char *source = NULL;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            fputs(help, stdout);
            return OB_EXIT_OK;
        }
    }
    if (!take_source(&argc, argv, &source)) {
        fprintf(stderr, "--source takes the folder of a checkout\n\n%s", help);
        return OB_EXIT_USAGE;
    }
    if (!find_checkout(source, folder))
        return OB_EXIT_FAILED;
    return run_npm(folder, argc, argv);
}
