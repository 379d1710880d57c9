/* jsonl.c: metadata.jsonl: {"file_name": "a.png", "text": "a cat", ...} a line. */
#include "data/rows.h"

#include "base/json.h"
#include "file/bytes.h"
#include "data/listing.h"

#include <string.h>

enum { MAX_TERMS = 16, MAX_TERM = 256, MAX_LOGGED = 20, MAX_PATH = 1000, MAX_OTHERS = 6 };

static const char *const usual[] = {"text", "caption", "prompt"}; /* fields of captions without --caption-field */
enum { N_USUAL = sizeof usual / sizeof *usual };

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
    bool label_seen;
    const char *field[LIMN_CAPTION_FIELDS]; /* that captions are read from; without --caption-field one of these is chosen in
                                               the end */
    double weight[LIMN_CAPTION_FIELDS];
    int n_fields;
    bool seen[LIMN_CAPTION_FIELDS];         /* some row has the field */
    int64_t has[LIMN_CAPTION_FIELDS], skipped[LIMN_CAPTION_FIELDS]; /* rows with a text in it; empty texts beside others */
    const char *other[MAX_OTHERS];          /* fields with text that are none of them, as they were met */
    int n_others;
    limn_finder finder;
    limn_rows *rows;
} jsonl_reader;

static limn_status parse_where(jsonl_reader *r)
{
    for (const char *p = r->fields.where; p && *p;) {
        size_t n = strcspn(p, ","), field = strcspn(p, "=");
        if (field == 0 || field >= n || field >= MAX_TERM || n - field - 1 >= MAX_TERM || r->n_terms == MAX_TERMS)
            return limn_fail(r->ctx, LIMN_BAD_ARGUMENT,
                             "--where expects field=value[,field=value], at most %d, found \"%.200s\"", MAX_TERMS, p);
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
        all = all && text && limn_names_same(text, strlen(text), r->term[i].value, strlen(r->term[i].value));
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

static limn_status check_file(const jsonl_reader *r, const json_t *row, const char **file)
{
    char shown[256];
    *file = json_string_value(json_object_get(row, "file_name"));
    if (!*file) return limn_fail(r->ctx, LIMN_BAD_FILE, "expected a string file_name");
    if (!lies_inside(*file) || strlen(*file) > MAX_PATH)
        return limn_fail(r->ctx, LIMN_BAD_FILE, "file_name \"%s\" must lie inside the folder and have at most %d bytes",
                         limn_escape(*file, strlen(*file), shown, sizeof shown), MAX_PATH);
    return LIMN_OK;
}

/* ---- captions --------------------------------------------------------------------------------------------------------- */

static bool is_empty(const char *text)
{
    return !text[strspn(text, " \t\r\n")];
}

/* A string, or a list of strings; null is none.  A field that was not asked for may hold anything else.  n_empty: texts that
 * were left out. */
static limn_status read_texts(jsonl_reader *r, int f, const json_t *v, limn_texts *out, int *n_empty)
{
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    const char **text = NULL;
    *out = (limn_texts){0}, *n_empty = 0;
    bool asked = r->fields.caption || f == 0;
    for (size_t i = 0; i < n; i++) {
        const char *one = json_string_value(json_is_array(v) ? json_array_get(v, i) : v);
        if (!one && !asked) return *out = (limn_texts){0}, LIMN_OK;
        if (!one) return limn_fail(r->ctx, LIMN_BAD_FILE, "expected %s to be a string or a list of strings", r->field[f]);
        if (is_empty(one)) {
            ++*n_empty;
            continue;
        }
        if (!text) text = limn_arena_alloc(r->rows->arena, n * sizeof *text);
        if (!text || !(text[out->n++] = limn_arena_strdup(r->rows->arena, one)))
            return limn_fail_memory(r->ctx, strlen(one), r->name);
        out->text = text;
    }
    return LIMN_OK;
}

typedef struct row_captions {
    limn_texts texts[LIMN_CAPTION_FIELDS];
    int n_empty[LIMN_CAPTION_FIELDS];
    int n_texts;
} row_captions;

static limn_status read_captions(jsonl_reader *r, const json_t *row, row_captions *out)
{
    *out = (row_captions){0};
    for (int f = 0; f < r->n_fields; f++) {
        const json_t *v = json_object_get(row, r->field[f]);
        r->seen[f] = r->seen[f] || v;
        if (!v || json_is_null(v)) continue;
        limn_status status = read_texts(r, f, v, &out->texts[f], &out->n_empty[f]);
        if (status != LIMN_OK) return status;
        out->n_texts += out->texts[f].n;
    }
    return LIMN_OK;
}

/* Names of fields with text in rows without a caption, for whoever looks for them. */
static void note_others(jsonl_reader *r, json_t *row)
{
    const char *key;
    json_t *v;
    if (r->n_others == MAX_OTHERS) return;
    json_object_foreach(row, key, v) {
        bool known = strcmp(key, "file_name") == 0 || strcmp(key, r->fields.label) == 0 ||
                     !(json_is_string(v) || (json_is_array(v) && json_is_string(json_array_get(v, 0))));
        for (int i = 0; i < r->n_fields && !known; i++) known = strcmp(key, r->field[i]) == 0;
        for (int i = 0; i < r->n_others && !known; i++) known = strcmp(key, r->other[i]) == 0;
        if (known || r->n_others == MAX_OTHERS) continue;
        if ((r->other[r->n_others] = limn_arena_strdup(r->rows->arena, key))) r->n_others++;
    }
}

/* The last row of `rows` gets them. */
static limn_status keep_captions(jsonl_reader *r, const row_captions *c)
{
    limn_row *row = &r->rows->row[r->rows->n - 1];
    for (int f = 0; f < r->n_fields; f++) {
        bool beside = r->fields.caption ? c->n_texts > 0 : c->texts[f].n > 0;
        r->has[f] += c->texts[f].n > 0, r->skipped[f] += beside ? c->n_empty[f] : 0;
    }
    if (!c->n_texts) return LIMN_OK;
    limn_texts *texts = limn_arena_alloc(r->rows->arena, (size_t)r->n_fields * sizeof *texts);
    if (!texts) return limn_fail_memory(r->ctx, (size_t)r->n_fields * sizeof *texts, r->name);
    memcpy(texts, c->texts, (size_t)r->n_fields * sizeof *texts);
    row->texts = texts;
    return LIMN_OK;
}

/* Fields first .. first + n - 1 are the captions of every row: of one text nothing but the caption is kept. */
static void set_captions(limn_rows *rows, int first, int n)
{
    for (int64_t i = 0; i < rows->n; i++) {
        limn_row *row = &rows->row[i];
        const limn_texts *texts = row->texts ? row->texts + first : NULL;
        int n_texts = 0;
        for (int f = n; texts && f-- > 0;) {
            n_texts += texts[f].n;
            if (texts[f].n) row->caption = texts[f].text[0];
        }
        row->texts = n_texts > 1 ? texts : NULL;
    }
    rows->n_fields = n;
}

static const char *list_others(const jsonl_reader *r, bool usual_ones, int chosen)
{
    limn_text text = {0};
    char shown[80];
    for (int f = 0; f < r->n_fields && usual_ones; f++)
        if (f != chosen && r->has[f]) limn_text_printf(&text, "%s\"%s\"", text.n ? ", " : "", r->field[f]);
    for (int i = 0; i < r->n_others; i++)
        limn_text_printf(&text, "%s\"%s\"", text.n ? ", " : "",
                         limn_escape(r->other[i], strlen(r->other[i]), shown, sizeof shown));
    const char *list = text.n && !text.failed ? limn_arena_printf(r->rows->arena, "%s", text.bytes) : NULL;
    limn_text_free(&text);
    return list;
}

/* Without --caption-field it is "text" where a row has a text in it, else the one of the others that has. */
static void choose_field(jsonl_reader *r)
{
    limn_caption_facts *facts = &r->rows->captions;
    int chosen = 0, n = 0;
    for (int f = r->n_fields; f-- > 0;)
        if (r->has[f]) chosen = f, n++;
    facts->asked = r->fields.caption != NULL;
    facts->unclear = !facts->asked && n > 1 && chosen > 0;
    facts->field = facts->asked ? limn_arena_strdup(r->rows->arena, r->fields.caption) : n ? usual[chosen] : NULL;
    facts->other = list_others(r, !facts->asked, facts->unclear ? -1 : chosen);
    for (int f = 0; f < r->n_fields; f++) facts->skipped += facts->asked || f == chosen ? r->skipped[f] : 0;
    if (facts->asked) memcpy(r->rows->weight, r->weight, sizeof r->weight);
    else r->rows->weight[0] = 1;
    set_captions(r->rows, facts->asked ? 0 : chosen, facts->asked ? r->n_fields : 1);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------- */

static limn_status take_row(jsonl_reader *r, json_t *row, long line)
{
    const char *file, *class = NULL;
    char number[32];
    row_captions captions;
    limn_arena *arena = r->rows->arena;
    limn_status status = check_file(r, row, &file);
    if (status == LIMN_OK) status = read_captions(r, row, &captions);
    if (status != LIMN_OK) return status;
    const json_t *label = json_object_get(row, r->fields.label);
    if (label && !json_is_null(label)) {
        if (!(class = as_text(label, number)))
            return limn_fail(r->ctx, LIMN_BAD_FILE, "expected %s to be a string or a whole number", r->fields.label);
        r->label_seen = true;
        if (!(class = limn_arena_strdup(arena, class))) return limn_fail_memory(r->ctx, sizeof number, r->name);
    }
    if (!matches(r, row)) {
        r->rows->n_left_out++;
        return class ? limn_rows_note_class(r->ctx, r->rows, class) : LIMN_OK;
    }
    if (!captions.n_texts) note_others(r, row);
    const char *path = limn_arena_printf(arena, "%s/%s", r->folder, file);
    status =
        path ? limn_finder_find(r->ctx, &r->finder, arena, path, &path) : limn_fail_memory(r->ctx, strlen(file), r->name);
    if (status == LIMN_OK) status = limn_rows_add(r->ctx, r->rows, path, "", class);
    if (status != LIMN_OK) return status;
    r->rows->row[r->rows->n - 1].line = line < INT32_MAX ? (int32_t)line : 0;
    return keep_captions(r, &captions);
}

/* One line of n bytes, not blank; `begin` is its place in the file. */
static limn_status take_line(jsonl_reader *r, const char *bytes, size_t n, size_t begin, long line)
{
    json_error_t error;
    json_t *row = limn_json_parse(bytes, n, &error);
    char shown[256];
    limn_status status;
    if (!row)
        return limn_fail(r->ctx, LIMN_BAD_FILE, "%s line %ld, column %d (byte %zu): %s", r->name, line, error.column,
                         begin + (size_t)error.position, limn_escape(error.text, strlen(error.text), shown, sizeof shown));
    status = json_is_object(row) ? take_row(r, row, line) : limn_fail(r->ctx, LIMN_BAD_FILE, "expected an object");
    json_decref(row);
    return status == LIMN_OK ? LIMN_OK : limn_fail_in(r->ctx, status, "%s line %ld (byte %zu)", r->name, line, begin);
}

static limn_status check_fields(const jsonl_reader *r, const limn_row_fields *asked)
{
    for (int i = 0; i < r->n_terms; i++)
        if (!r->term[i].seen)
            return limn_fail(r->ctx, LIMN_BAD_ARGUMENT, "%s: no row has the field \"%s\" of --where", r->name,
                             r->term[i].field);
    for (int f = 0; f < r->n_fields && asked->caption; f++)
        if (!r->seen[f])
            return limn_fail(r->ctx, LIMN_BAD_ARGUMENT, "%s: no row has a caption field \"%s\"", r->name, r->field[f]);
    if (asked->label && !r->label_seen)
        return limn_fail(r->ctx, LIMN_BAD_ARGUMENT, "%s: no row has a label field \"%s\"", r->name, asked->label);
    return LIMN_OK;
}

static bool is_blank(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != ' ' && bytes[i] != '\t' && bytes[i] != '\r') return false;
    return true;
}

/* Every line from byte `at` on; malformed ones are told, and the first of them is the sentence. */
static limn_status take_lines(jsonl_reader *r, const char *bytes, size_t n, size_t at)
{
    char first[LIMN_ERROR_BYTES] = "";
    long line = 0, n_bad = 0;
    for (size_t begin = at, end; begin < n; begin = end + 1) {
        const char *newline = memchr(bytes + begin, '\n', n - begin);
        end = newline ? (size_t)(newline - bytes) : n;
        line++;
        if (is_blank(bytes + begin, end - begin)) continue;
        limn_status status = take_line(r, bytes + begin, end - begin, begin, line);
        if (status == LIMN_NO_MEMORY) return status;
        if (status == LIMN_OK) continue;
        if (!n_bad++) memcpy(first, limn_error_text(r->ctx), sizeof first);
        if (n_bad <= MAX_LOGGED) limn_log(r->ctx, LIMN_LOG_WARN, "%s", limn_error_text(r->ctx));
    }
    if (n_bad == 1) return limn_fail(r->ctx, LIMN_BAD_FILE, "%.1900s", first);
    if (n_bad) return limn_fail(r->ctx, LIMN_BAD_FILE, "%.1900s (and %ld more malformed lines)", first, n_bad - 1);
    return LIMN_OK;
}

/* Names of the caption's fields. */
static limn_status open_fields(jsonl_reader *r)
{
    if (!r->fields.label) r->fields.label = "label";
    if (r->fields.caption) r->n_fields = limn_caption_fields(r->ctx, r->rows->arena, r->fields.caption, r->field, r->weight);
    else memcpy(r->field, usual, sizeof usual), r->n_fields = N_USUAL;
    return r->n_fields ? parse_where(r) : LIMN_BAD_ARGUMENT;
}

limn_status limn_rows_jsonl(limn_ctx *ctx, const char *name, const char *folder, const char *bytes, size_t n,
                            const limn_row_fields *fields, limn_rows *rows)
{
    jsonl_reader r = {.ctx = ctx, .name = name, .folder = folder, .fields = *fields, .rows = rows};
    size_t at;
    limn_status status = limn_text_begin(ctx, name, bytes, n, &at);
    if (status == LIMN_OK) status = open_fields(&r);
    if (status == LIMN_OK) status = take_lines(&r, bytes, n, at);
    if (status == LIMN_OK) choose_field(&r);
    limn_finder_free(&r.finder);
    return status == LIMN_OK ? check_fields(&r, fields) : status;
}
