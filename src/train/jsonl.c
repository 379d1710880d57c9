/* jsonl.c: metadata.jsonl: {"file_name": "a.png", "text": "a cat", ...} a line. */
#include "train/rows.h"

#include "base/json.h"

#include <string.h>

enum { MAX_TERMS = 16, MAX_TERM = 256, MAX_LOGGED = 20, MAX_PATH = 1000 };

typedef struct where_term {
    char field[MAX_TERM], value[MAX_TERM];
    bool seen; /* some row has the field */
} where_term;

typedef struct jsonl_reader {
    limn_ctx *ctx;
    const char *name, *folder;
    limn_row_fields fields;
    where_term term[MAX_TERMS];
    int n_terms;
    bool caption_seen, label_seen;
    limn_rows *rows;
} jsonl_reader;

static limn_status parse_where(jsonl_reader *r)
{
    for (const char *p = r->fields.where; p && *p;) {
        size_t n = strcspn(p, ","), field = strcspn(p, "=");
        if (field == 0 || field >= n || field >= MAX_TERM || n - field - 1 >= MAX_TERM || r->n_terms == MAX_TERMS)
            return limn_fail(r->ctx, LIMN_BAD_ARGUMENT, "--where expects field=value[,field=value], at most %d, found \"%.200s\"", MAX_TERMS, p);
        where_term *t = &r->term[r->n_terms++];
        memcpy(t->field, p, field);
        memcpy(t->value, p + field + 1, n - field - 1);
        p += n + (p[n] == ',');
    }
    return LIMN_OK;
}

/* A string, whole number or boolean as text; NULL for other things. */
static const char *as_text(const json_t *v, char number[32])
{
    if (json_is_string(v)) return json_string_value(v);
    if (json_is_boolean(v)) return json_is_true(v) ? "true" : "false";
    if (!json_is_integer(v)) return NULL;
    snprintf(number, 32, "%lld", (long long)json_integer_value(v));
    return number;
}

static bool matches(jsonl_reader *r, const json_t *row)
{
    bool all = true;
    for (int i = 0; i < r->n_terms; i++) {
        char number[32];
        const json_t *v = json_object_get(row, r->term[i].field);
        const char *text = as_text(v, number);
        r->term[i].seen = r->term[i].seen || v;
        all = all && text && strcmp(text, r->term[i].value) == 0;
    }
    return all;
}

static bool lies_inside(const char *path)
{
    if (path[0] == '/' || !path[0]) return false;
    for (const char *p = path; (p = strstr(p, "..")); p += 2)
        if ((p == path || p[-1] == '/') && (p[2] == '/' || !p[2])) return false;
    return true;
}

static limn_status check_row(const jsonl_reader *r, const json_t *row, const char **file, const char **caption)
{
    char shown[256];
    const json_t *text = json_object_get(row, r->fields.caption);
    *file = json_string_value(json_object_get(row, "file_name"));
    *caption = text ? json_string_value(text) : "";
    if (!*file) return limn_fail(r->ctx, LIMN_BAD_FILE, "expected a string file_name");
    if (!*caption) return limn_fail(r->ctx, LIMN_BAD_FILE, "expected %s to be a string", r->fields.caption);
    if (!lies_inside(*file) || strlen(*file) > MAX_PATH)
        return limn_fail(r->ctx, LIMN_BAD_FILE, "file_name \"%s\" must lie inside the folder and have at most %d bytes",
                         limn_escape(*file, strlen(*file), shown, sizeof shown), MAX_PATH);
    return LIMN_OK;
}

static limn_status take_row(jsonl_reader *r, const json_t *row)
{
    const char *file, *caption, *class = NULL;
    char number[32];
    limn_arena *arena = r->rows->arena;
    limn_status status = check_row(r, row, &file, &caption);
    if (status != LIMN_OK) return status;
    r->caption_seen = r->caption_seen || json_object_get(row, r->fields.caption);
    const json_t *label = json_object_get(row, r->fields.label);
    if (label && !json_is_null(label)) {
        if (!(class = as_text(label, number))) return limn_fail(r->ctx, LIMN_BAD_FILE, "expected %s to be a string or a whole number", r->fields.label);
        r->label_seen = true;
        if (!(class = limn_arena_strdup(arena, class))) return limn_fail_memory(r->ctx, sizeof number, r->name);
    }
    if (!matches(r, row)) return class ? limn_rows_note_class(r->ctx, r->rows, class) : LIMN_OK;
    const char *path = limn_arena_printf(arena, "%s/%s", r->folder, file), *text = limn_arena_strdup(arena, caption);
    if (!path || !text) return limn_fail_memory(r->ctx, strlen(file) + strlen(caption), r->name);
    return limn_rows_add(r->ctx, r->rows, path, text, class);
}

/* One line of n bytes, not blank; `begin` is its place in the file. */
static limn_status take_line(jsonl_reader *r, const char *bytes, size_t n, size_t begin, long line)
{
    json_error_t error;
    json_t *row = limn_json_parse(bytes, n, &error);
    char shown[256];
    limn_status status;
    if (!row)
        return limn_fail(r->ctx, LIMN_BAD_FILE, "%s line %ld, column %d (byte %zu): %s", r->name, line, error.column, begin + (size_t)error.position,
                         limn_escape(error.text, strlen(error.text), shown, sizeof shown));
    status = json_is_object(row) ? take_row(r, row) : limn_fail(r->ctx, LIMN_BAD_FILE, "expected an object");
    json_decref(row);
    return status == LIMN_OK ? LIMN_OK : limn_fail_in(r->ctx, status, "%s line %ld (byte %zu)", r->name, line, begin);
}

static limn_status check_fields(const jsonl_reader *r, const limn_row_fields *asked)
{
    for (int i = 0; i < r->n_terms; i++)
        if (!r->term[i].seen) return limn_fail(r->ctx, LIMN_BAD_ARGUMENT, "%s: no row has the field \"%s\" of --where", r->name, r->term[i].field);
    if (asked->caption && !r->caption_seen) return limn_fail(r->ctx, LIMN_BAD_ARGUMENT, "%s: no row has a caption field \"%s\"", r->name, asked->caption);
    if (asked->label && !r->label_seen) return limn_fail(r->ctx, LIMN_BAD_ARGUMENT, "%s: no row has a label field \"%s\"", r->name, asked->label);
    return LIMN_OK;
}

static bool is_blank(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != ' ' && bytes[i] != '\t' && bytes[i] != '\r') return false;
    return true;
}

limn_status limn_rows_jsonl(limn_ctx *ctx, const char *name, const char *folder, const char *bytes, size_t n, const limn_row_fields *fields, limn_rows *rows)
{
    jsonl_reader r = {.ctx = ctx, .name = name, .folder = folder, .fields = *fields, .rows = rows};
    if (!r.fields.caption) r.fields.caption = "text";
    if (!r.fields.label) r.fields.label = "label";
    limn_status status = parse_where(&r);
    if (status != LIMN_OK) return status;
    char first[LIMN_ERROR_BYTES] = "";
    long line = 0, n_bad = 0;
    for (size_t begin = 0, end; begin < n; begin = end + 1) {
        const char *newline = memchr(bytes + begin, '\n', n - begin);
        end = newline ? (size_t)(newline - bytes) : n;
        line++;
        if (is_blank(bytes + begin, end - begin)) continue;
        status = take_line(&r, bytes + begin, end - begin, begin, line);
        if (status == LIMN_NO_MEMORY) return status;
        if (status == LIMN_OK) continue;
        if (!n_bad++) memcpy(first, limn_error_text(ctx), sizeof first);
        if (n_bad <= MAX_LOGGED) limn_log(ctx, LIMN_LOG_WARN, "%s", limn_error_text(ctx));
    }
    if (n_bad == 1) return limn_fail(ctx, LIMN_BAD_FILE, "%.1900s", first);
    if (n_bad) return limn_fail(ctx, LIMN_BAD_FILE, "%.1900s (and %ld more malformed lines)", first, n_bad - 1);
    return check_fields(&r, fields);
}
