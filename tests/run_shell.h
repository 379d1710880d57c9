/* run_shell.h: a command of the shell, its exit code, and all that it said. */
#ifndef LIMN_RUN_SHELL_H
#define LIMN_RUN_SHELL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <sys/wait.h>

static char text[1 << 16]; /* what the last command said on stderr and stdout */

/* @return its exit code, as a shell has it */
static int run(const char *command)
{
    char line[3000];
    snprintf(line, sizeof line, "{ %s; } 2>&1", command);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
