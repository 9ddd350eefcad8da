/* config_command.h - `one-balance config check FILE`. */
#ifndef OB_CONFIG_COMMAND_H
#define OB_CONFIG_COMMAND_H

/* argv[0] is "config". Returns the exit code. */
int ob_config_command(int argc, char **argv);

#endif
