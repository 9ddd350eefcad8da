/*
 * options.h - what stands behind a command's name.
 *
 * A command declares its options and arguments in a table; parsing, --help
 * and "did you mean" follow from it. Long options only, `--name value` or
 * `--name=value`; `--` ends them, `-` is an argument.
 */
#ifndef OB_OPTIONS_H
#define OB_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes of every command. */
enum {
    OB_EXIT_OK = 0,
    OB_EXIT_FAILED = 1,
    OB_EXIT_USAGE = 2,
};

/* What an option that may be given several times was given. */
#define OB_OPTION_LIST_MAX 64
typedef struct ob_option_list {
    const char *items[OB_OPTION_LIST_MAX]; /* into argv */
    size_t count;
} ob_option_list;

/* Exactly one of `text`, `number`, `flag` and `list` is set: it is written when
 * the option is given and left alone otherwise, so it holds the default. */
typedef struct ob_option {
    const char *name;  /* "listen", without dashes */
    const char *value; /* "HOST:PORT" for --help; NULL for a flag */
    const char *help;
    const char **text; /* points into argv */
    uint64_t *number;
    uint64_t min, max; /* of the number */
    bool *flag;
    ob_option_list *list; /* the option may be repeated */
} ob_option;

#define OB_ARGUMENTS_ANY ((size_t)-1)

typedef struct ob_usage {
    const char *synopsis; /* "one-balance serve [options]" */
    const char *about;    /* a paragraph for --help */
    const ob_option *options;
    size_t option_count;
    size_t arguments_min;
    size_t arguments_max;
} ob_usage;

typedef struct ob_arguments {
    char **list; /* into argv, which is reordered */
    size_t count;
    bool help; /* --help or -h was given; the rest was not looked at */
} ob_arguments;

/* Parses argv[1] and what follows; argv[0] is the command's name. On false
 * `message` says what is wrong and what would be right. */
bool ob_options_read(const ob_usage *usage, int argc, char **argv,
                     ob_arguments *arguments, char *message,
                     size_t message_size);

void ob_options_help(const ob_usage *usage, FILE *out);

/*
 * The whole of it for a command: true to go on; false when it is to return
 * *exit_code, after help (0, on standard output) or a mistake (2, on standard
 * error).
 */
bool ob_options_parse(const ob_usage *usage, int argc, char **argv,
                      ob_arguments *arguments, int *exit_code);

#endif
