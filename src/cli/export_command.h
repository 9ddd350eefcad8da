/* export_command.h - `one-balance export`. */
#ifndef OB_EXPORT_COMMAND_H
#define OB_EXPORT_COMMAND_H

/* argv[0] is "export". Returns the exit code. */
int ob_export_command(int argc, char **argv);

#endif
