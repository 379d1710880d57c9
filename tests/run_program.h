/* run_program.h: a command of the shell, and what it said. */
#ifndef LIMN_RUN_PROGRAM_H
#define LIMN_RUN_PROGRAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* What a command writes to stderr, by way of a file of the test program's own, until the next call; *code as system() has
 * it. */
static char *run_program(const char *command, const char *said, int *code)
{
    static char text[1 << 14];
    char line[1200];
    snprintf(line, sizeof line, "(%s) >/dev/null 2>%s", command, said);
    *code = system(line);
    FILE *file = fopen(said, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

#endif
