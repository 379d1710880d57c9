/* json.h: jansson, which asks localeconv() what a point is and takes its first byte only, where a point is a point. */
#ifndef LIMN_JSON_H
#define LIMN_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/** A value of n bytes; a name that stands twice in one object is an error.  The caller's (json_decref); NULL with *error
 *  filled. */
json_t *limn_json_parse(const char *bytes, size_t n, json_error_t *error);
/** As text, by jansson's flags; the caller's (free); NULL: out of memory, or json is NULL. */
char *limn_json_text(const json_t *json, size_t flags);
/** On lines of its own in a file; false when it could not be written, or json is NULL. */
bool limn_json_print(const json_t *json, FILE *file);

#endif
