/* import_command.h - `one-balance import FILE`. */
#ifndef OB_IMPORT_COMMAND_H
#define OB_IMPORT_COMMAND_H

/* argv[0] is "import". Returns the exit code: 1 also where every key
 * was refused. */
int ob_import_command(int argc, char **argv);

#endif
