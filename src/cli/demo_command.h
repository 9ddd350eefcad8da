/* demo_command.h - `one-balance demo`: see it work, with no account. */
#ifndef OB_DEMO_COMMAND_H
#define OB_DEMO_COMMAND_H

/* argv[0] is "demo". Returns the exit code. */
int ob_demo_command(int argc, char **argv);

#endif
