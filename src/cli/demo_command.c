#include "demo_command.h"
int ob_demo_command(int argc, char **argv)
{
    return argc && argv ? 1 : 0;
}
