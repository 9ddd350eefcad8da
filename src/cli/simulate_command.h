/* simulate_command.h - `one-balance simulate`: how many keys a load needs. */
#ifndef OB_SIMULATE_COMMAND_H
#define OB_SIMULATE_COMMAND_H

/* argv[0] is "simulate". Returns the exit code. */
int ob_simulate_command(int argc, char **argv);

#endif
