/* deploy_command.h - `one-balance deploy`: the gateway onto Cloudflare. */
#ifndef OB_DEPLOY_COMMAND_H
#define OB_DEPLOY_COMMAND_H

/* argv[0] is "deploy". Becomes npm, in the checkout, or returns the exit
 * code. */
int ob_deploy_command(int argc, char **argv);

#endif
