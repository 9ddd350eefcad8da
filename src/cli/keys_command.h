/*
 * keys_command.h - `one-balance keys`: the pool's keys, by hand.
 *
 * Works on the database while a server runs on it or not; a running server
 * follows within a second.
 */
#ifndef OB_KEYS_COMMAND_H
#define OB_KEYS_COMMAND_H

/* argv[0] is "keys". Returns the exit code. */
int ob_keys_command(int argc, char **argv);

/*
 * Makes one real upstream call with each key and prints what came of it.
 * Provided by the gateway, which has the network. `config_path` and
 * `database` are as given on the command line, NULL where not; the `ids` are
 * decimal numbers. Returns the exit code: 0 when every key answered.
 */
extern int ob_keys_test(const char *config_path, const char *database,
                        char **ids, int count);

#endif
