#include "options.h"

#include <string.h>

#include "../core/config.h"

#define OPTIONS_MAX 32
#define HELP_COLUMN 28

typedef struct parser {
    const ob_usage *usage;
    bool given[OPTIONS_MAX];
    char *message;
    size_t message_size;
} parser;

static bool fail_unknown(parser *p, ob_slice name)
{
    ob_slice names[OPTIONS_MAX + 1];
    size_t count = 0;
    for (; count < p->usage->option_count; count++)
        names[count] = ob_slice_str(p->usage->options[count].name);
    names[count++] = OB_S("help");
    ob_slice nearest = ob_nearest(name, names, count);
    if (nearest.ptr)
        snprintf(p->message, p->message_size,
                 "unknown option --%.*s; did you mean --%.*s?", (int)name.len,
                 name.ptr, (int)nearest.len, nearest.ptr);
    else
        snprintf(p->message, p->message_size, "unknown option --%.*s",
                 (int)name.len, name.ptr);
    return false;
}

static bool fail_number(parser *p, const ob_option *option)
{
    snprintf(p->message, p->message_size,
             "--%s takes a whole number from %llu to %llu", option->name,
             (unsigned long long)option->min, (unsigned long long)option->max);
    return false;
}

static bool set_value(parser *p, const ob_option *option, const char *value)
{
    uint64_t number = 0;
    if (option->list && option->list->count == OB_OPTION_LIST_MAX) {
        snprintf(p->message, p->message_size,
                 "--%s is given more than %d times", option->name,
                 OB_OPTION_LIST_MAX);
        return false;
    }
    if (option->list) {
        option->list->items[option->list->count++] = value;
        return true;
    }
    if (option->text) {
        *option->text = value;
        return true;
    }
    if (ob_slice_u64(ob_slice_str(value), &number) != OB_OK ||
        number < option->min || number > option->max)
        return fail_number(p, option);
    *option->number = number;
    return true;
}

static const ob_option *find_option(const parser *p, ob_slice name,
                                    size_t *index)
{
    for (size_t i = 0; i < p->usage->option_count; i++)
        if (ob_slice_eq(name, ob_slice_str(p->usage->options[i].name))) {
            *index = i;
            return &p->usage->options[i];
        }
    return NULL;
}

/* `word` is behind "--"; `next` is the word that follows it, or NULL. Sets
 * *used_next when that was its value. */
static bool read_option(parser *p, const char *word, const char *next,
                        bool *used_next)
{
    ob_slice value = ob_slice_str(word);
    ob_slice name = ob_slice_cut(&value, '=');
    size_t index = 0;
    const ob_option *option = find_option(p, name, &index);
    if (!option)
        return fail_unknown(p, name);
    if (p->given[index] && !option->list) {
        snprintf(p->message, p->message_size, "--%s is given twice",
                 option->name);
        return false;
    }
    p->given[index] = true;
    if (option->flag) {
        *option->flag = true;
        if (value.ptr)
            snprintf(p->message, p->message_size, "--%s takes no value",
                     option->name);
        return !value.ptr;
    }
    *used_next = !value.ptr;
    if (value.ptr)
        return set_value(p, option, value.ptr);
    if (next)
        return set_value(p, option, next);
    snprintf(p->message, p->message_size, "--%s needs a value: --%s %s",
             option->name, option->name, option->value);
    return false;
}

static bool check_count(parser *p, size_t count)
{
    if (count < p->usage->arguments_min)
        snprintf(p->message, p->message_size, "an argument is missing");
    else if (count > p->usage->arguments_max)
        snprintf(p->message, p->message_size, "too many arguments");
    else
        return true;
    return false;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

bool ob_options_read(const ob_usage *usage, int argc, char **argv,
                     ob_arguments *arguments, char *message,
                     size_t message_size)
{
    parser p = {
        .usage = usage, .message = message, .message_size = message_size};
    bool ended = false;
    OB_ASSERT(usage->option_count <= OPTIONS_MAX);
    *arguments = (ob_arguments){.list = argv + (argc > 0)};
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        bool used_next = false;
        if (ended || word[0] != '-' || word[1] == 0) {
            arguments->list[arguments->count++] = word;
        } else if (is_help(word)) {
            arguments->help = true;
            return true;
        } else if (strcmp(word, "--") == 0) {
            ended = true;
        } else if (word[1] != '-') {
            snprintf(message, message_size,
                     "unknown option %s; options are written --name", word);
            return false;
        } else if (!read_option(&p, word + 2, i + 1 < argc ? argv[i + 1] : NULL,
                                &used_next)) {
            return false;
        }
        i += used_next;
    }
    return check_count(&p, arguments->count);
}

static void print_option(const char *name, const char *value, const char *help,
                         FILE *out)
{
    int width =
        fprintf(out, "  --%s%s%s", name, value ? " " : "", value ? value : "");
    if (width >= HELP_COLUMN)
        width = fprintf(out, "\n") - 1;
    fprintf(out, "%*s%s\n", HELP_COLUMN - width, "", help);
}

void ob_options_help(const ob_usage *usage, FILE *out)
{
    fprintf(out, "Usage: %s\n\n%s\n\nOptions:\n", usage->synopsis,
            usage->about);
    for (size_t i = 0; i < usage->option_count; i++) {
        const ob_option *option = &usage->options[i];
        print_option(option->name, option->value, option->help, out);
    }
    print_option("help", NULL, "this text", out);
}

bool ob_options_parse(const ob_usage *usage, int argc, char **argv,
                      ob_arguments *arguments, int *exit_code)
{
    char message[256];
    if (!ob_options_read(usage, argc, argv, arguments, message,
                         sizeof(message))) {
        fprintf(stderr, "%s\nUsage: %s\nTry --help.\n", message,
                usage->synopsis);
        *exit_code = OB_EXIT_USAGE;
        return false;
    }
    if (!arguments->help)
        return true;
    ob_options_help(usage, stdout);
    *exit_code = OB_EXIT_OK;
    return false;
}
