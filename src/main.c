/* main.c - hands the command line over. */
#include "cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
