/* auth_keys_command.h - one-balance auth-keys: who may call the gateway. */
#ifndef OB_AUTH_KEYS_COMMAND_H
#define OB_AUTH_KEYS_COMMAND_H

/* argv[0] is "auth-keys". Returns the exit code. */
int ob_auth_keys_command(int argc, char **argv);

#endif
