/* make_locale.h: locales of the C library made here, since a machine may have none. */
#ifndef MAKE_LOCALE_H
#define MAKE_LOCALE_H

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* LC_ALL of this process is `name`, as de_DE, in UTF-8.  @return false: localedef or its sources (Debian's package locales)
 * are not here. Made before it is asked for: the C library remembers which ones were not there. */
static bool use_locale(const char *name)
{
    char command[640], path[64];
    snprintf(path, sizeof path, "test-locales/%.40s.UTF-8", name);
    snprintf(command, sizeof command,
             "mkdir -p test-locales && localedef -i %.40s -f UTF-8 test-locales/$$ >/dev/null 2>&1 && "
             "{ mv -T test-locales/$$ %s 2>/dev/null || rm -r test-locales/$$; }",
             name, path);
    if (access(path, F_OK) != 0 && system(command) != 0) return false;
    setenv("LOCPATH", "test-locales", 1);
    return setlocale(LC_ALL, path + strlen("test-locales/")) != NULL;
}

#endif
