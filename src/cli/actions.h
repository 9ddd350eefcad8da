/* actions.h - a command with actions behind it, like "keys add". */
#ifndef OB_CLI_ACTIONS_H
#define OB_CLI_ACTIONS_H

#include <stddef.h>

typedef struct ob_cli_action {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the action's name */
} ob_cli_action;

/* Runs the action that argv[1] names. Where it names none, says what was meant
 * and how the command is used: `overview`. Returns the exit code. */
int ob_actions_run(const ob_cli_action *actions, size_t count,
                   const char *overview, int argc, char **argv);

#endif
