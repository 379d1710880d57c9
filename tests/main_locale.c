/* main_locale.c: linked into every test program: with LIMN_TEST_LOCALE set, it runs as a program that follows the user's
 * locale (.ci/run: all tests). */
#include <locale.h>
#include <stdlib.h>

__attribute__((constructor)) static void follow_locale(void)
{
    if (getenv("LIMN_TEST_LOCALE") && !setlocale(LC_ALL, "")) abort();
}
