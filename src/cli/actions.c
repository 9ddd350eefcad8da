#include "actions.h"

#include <stdio.h>
#include <string.h>

#include "../core/config.h"
#include "options.h"

#define ACTIONS_MAX 16

static void print_unknown(const ob_cli_action *actions, size_t count,
                          const char *word)
{
    ob_slice names[ACTIONS_MAX];
    OB_ASSERT(count <= ACTIONS_MAX);
    for (size_t i = 0; i < count; i++)
        names[i] = ob_slice_str(actions[i].name);
    ob_slice nearest = ob_nearest(ob_slice_str(word), names, count);
    fprintf(stderr, "unknown action %s", word);
    if (nearest.len)
        fprintf(stderr, "; did you mean %.*s?", (int)nearest.len, nearest.ptr);
    fputc('\n', stderr);
}

int ob_actions_run(const ob_cli_action *actions, size_t count,
                   const char *overview, int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    if (word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
        fputs(overview, stdout);
        return OB_EXIT_OK;
    }
    for (size_t i = 0; word && i < count; i++)
        if (strcmp(word, actions[i].name) == 0)
            return actions[i].run(argc - 1, argv + 1);
    if (word)
        print_unknown(actions, count, word);
    fputs(overview, stderr);
    return OB_EXIT_USAGE;
}
