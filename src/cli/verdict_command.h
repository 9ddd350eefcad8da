/*
 * verdict_command.h - `one-balance verdict`: what would be done with a
 * response?
 */
#ifndef OB_VERDICT_COMMAND_H
#define OB_VERDICT_COMMAND_H

/*
 * Reads JSON Lines on standard input, one response each, and prints one JSON
 * line with its verdict for each, in order. `argv[0]` is "verdict". Returns
 * the exit code: 0, 1 when a line could not be judged, 2 for wrong arguments.
 */
int ob_verdict_command(int argc, char **argv);

#endif
