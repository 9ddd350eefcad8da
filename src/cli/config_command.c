#include "config_command.h"

#include <string.h>

#include "options.h"
#include "settings.h"

static const char about[] =
    "Checks a configuration file and says what is wrong with it, with its\n"
    "line. Variables that the file names as \"env:NAME\" must be set, and the\n"
    "environment (AUTH_KEY and the others) is checked with it.";

static int check(const char *path)
{
    ob_settings settings;
    ob_settings_error error;
    ob_authkeys *keys = NULL;
    ob_settings_flags flags = {.config = path};
    ob_status status = ob_settings_load(&flags, &settings, &error);
    if (status != OB_OK) {
        fprintf(stderr, "%s\n", error.message);
        return OB_EXIT_FAILED;
    }
    status = ob_settings_auth_keys(&settings, &keys, &error);
    if (status == OB_OK)
        printf("%s: valid, %zu providers, %zu models\n", path,
               settings.config->provider_count, settings.config->model_count);
    else
        fprintf(stderr, "%s\n", error.message);
    ob_authkeys_free(keys);
    ob_settings_deinit(&settings);
    return status == OB_OK ? OB_EXIT_OK : OB_EXIT_FAILED;
}

int ob_config_command(int argc, char **argv)
{
    static const ob_usage usage = {
        .synopsis = "one-balance config check FILE",
        .about = about,
        .arguments_min = 2,
        .arguments_max = 2,
    };
    ob_arguments arguments;
    int exit_code = OB_EXIT_OK;
    if (!ob_options_parse(&usage, argc, argv, &arguments, &exit_code))
        return exit_code;
    if (strcmp(arguments.list[0], "check") != 0) {
        fprintf(stderr, "unknown action; expected \"check\"\nUsage: %s\n",
                usage.synopsis);
        return OB_EXIT_USAGE;
    }
    return check(arguments.list[1]);
}
