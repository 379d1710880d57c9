/* json.c: jansson where a point is a point. */
#include "base/json.h"

#include "base/number.h"

json_t *limn_json_parse(const char *bytes, size_t n, json_error_t *error)
{
    limn_locale l = limn_locale_begin();
    json_t *json = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, error);
    limn_locale_end(l);
    return json;
}

char *limn_json_text(const json_t *json, size_t flags)
{
    limn_locale l = limn_locale_begin();
    char *text = json_dumps(json, flags);
    limn_locale_end(l);
    return text;
}

bool limn_json_print(const json_t *json, FILE *file)
{
    limn_locale l = limn_locale_begin();
    bool done = json && json_dumpf(json, file, JSON_INDENT(1)) == 0 && putc('\n', file) != EOF;
    limn_locale_end(l);
    return done;
}
