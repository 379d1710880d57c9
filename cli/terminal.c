/* terminal.c: what the terminal can show. */
#include "cli.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool cli_utf8(void)
{
    setlocale(LC_CTYPE, "");
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

bool cli_color(FILE *stream)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no && no[0]) && term && strcmp(term, "dumb") != 0 && isatty(fileno(stream));
}

const char *cli_bytes(double n, char *out)
{
    if (n < 1e3) snprintf(out, 32, "%.0f B", n);
    else if (n < 999.5e3) snprintf(out, 32, "%.1f kB", n * 1e-3);
    else if (n < 999.5e6) snprintf(out, 32, "%.*f MB", n < 99.95e6 ? 1 : 0, n * 1e-6);
    else snprintf(out, 32, "%.2f GB", n * 1e-9);
    return out;
}
