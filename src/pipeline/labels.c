/* labels.c: see labels.h.  A published class may have several names: "tench, Tinca tinca". */
#include "pipeline/labels.h"

#include "data/classes.h"
#include "file/bytes.h"
#include "file/json_file.h"
#include "model/config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMES_LIMIT = 1 << 20, MOST_SHOWN = 5 };

static int count_classes(const limn_pipeline *p) { return limn_model_interface(&p->settings).classes; }

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

static limn_status no_names(const limn_pipeline *p) { return limn_fail_memory(p->ctx, NAMES_LIMIT, "names of classes"); }

static limn_status wrong_label(const limn_pipeline *p, const char *path, const char *key, const char *what)
{
    char shown[128];
    return limn_fail(p->ctx, LIMN_BAD_FILE, "%s: id2label: \"%s\" %s, and the network has the classes 0 to %d", path,
                     limn_escape(key, strlen(key), shown, sizeof shown), what, count_classes(p) - 1);
}

/* The class that a key is; -1: none. */
static int class_of(const limn_pipeline *p, const char *key)
{
    return limn_class_find(NULL, 0, count_classes(p) - 1, key).number;
}

/* {"0": "tench, Tinca tinca", ...}: which classes have no name is said. */
static limn_status take_labels(limn_pipeline *p, const char *path, json_t *labels)
{
    int n = count_classes(p), unnamed = 0, first = -1;
    const char *key, **names = limn_arena_alloc(p->arena, (size_t)n * sizeof *names);
    json_t *value;
    if (!names) return no_names(p);
    json_object_foreach(labels, key, value)
    {
        int class = class_of(p, key);
        if (class < 0) return wrong_label(p, path, key, "is none of them");
        if (!json_is_string(value)) return wrong_label(p, path, key, "has a name that is no text");
        if (names[class]) return wrong_label(p, path, key, "has a second name");
        if (!(names[class] = limn_arena_strdup(p->arena, json_string_value(value)))) return no_names(p);
    }
    for (int i = 0; i < n; i++)
        if (!names[i]) names[i] = "", first = unnamed++ ? first : i;
    if (unnamed)
        limn_log(p->ctx, LIMN_LOG_WARN, "%s: id2label has names for %d of %d classes; the first without one is %d, which "
                 "goes by its number", path, n - unnamed, n, first);
    p->class_name = names, p->n_class_names = n;
    return LIMN_OK;
}

static limn_status read_index(limn_pipeline *p, const char *path)
{
    json_t *root;
    limn_status status = limn_json_read(p->ctx, path, NAMES_LIMIT, &root);
    if (status != LIMN_OK) return status;
    json_t *labels = json_object_get(root, "id2label");
    if (labels && !json_is_object(labels) && !json_is_null(labels))
        status = limn_fail(p->ctx, LIMN_BAD_FILE, "%s: id2label: expected an object of classes and their names", path);
    else if (json_object_size(labels)) status = take_labels(p, path, labels);
    json_decref(root);
    return status;
}

/* A name each line.  A file of that name may be there for something else: another number of lines is said, no failure. */
static limn_status read_lines(limn_pipeline *p, const char *path)
{
    unsigned char *bytes;
    size_t n, begin;
    int lines;
    limn_status status = limn_file_read(p->ctx, path, NAMES_LIMIT, &bytes, &n);
    if (status != LIMN_OK) return status;
    status = limn_text_begin(p->ctx, path, bytes, n, &begin);
    char *text = status == LIMN_OK ? limn_arena_alloc(p->arena, n - begin + 1) : NULL, *to = text;
    if (status == LIMN_OK && !text) status = no_names(p);
    for (size_t i = begin; i < n && text; i++)
        if (bytes[i] && bytes[i] != '\r') *to++ = (char)bytes[i];
    free(bytes);
    const char *const *names;
    if (status == LIMN_OK) status = limn_class_names_read(p->ctx, p->arena, text, &names, &lines);
    if (status != LIMN_OK) return status;
    if (lines != count_classes(p)) {
        limn_log(p->ctx, LIMN_LOG_WARN, "%s has %d lines, and the network %d classes: they are no names of them, which go "
                 "by their numbers", path, lines, count_classes(p));
        return LIMN_OK;
    }
    p->class_name = names, p->n_class_names = lines;
    limn_log(p->ctx, LIMN_LOG_INFO, "names of classes taken: %s", path);
    return LIMN_OK;
}

static limn_status read_published(limn_pipeline *p, const char *source)
{
    static const char *const lists[] = {"imagenet_classes.txt", "classes.txt"};
    const char *slash = strrchr(source, '/');
    char folder[1100], path[1200];
    if (p->folder) snprintf(folder, sizeof folder, "%s/", source);
    else snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - source) + 1 : 0, source);
    snprintf(path, sizeof path, "%smodel_index.json", folder);
    limn_status status = p->folder && access(path, F_OK) == 0 ? read_index(p, path) : LIMN_OK;
    for (size_t i = 0; i < sizeof lists / sizeof *lists && status == LIMN_OK && !p->class_name; i++) {
        snprintf(path, sizeof path, "%s%s", folder, lists[i]);
        if (access(path, F_OK) == 0) status = read_lines(p, path);
    }
    return status;
}

limn_status limn_labels_read(limn_pipeline *p, const char *source)
{
    const char *text = limn_weight_file_metadata(p->st, "limn.classes");
    if (!count_classes(p) || (!text && !p->published)) return LIMN_OK;
    if (!(p->arena = limn_arena_new())) return no_names(p);
    if (!text) return read_published(p, source);
    limn_status status = limn_class_names_read(p->ctx, p->arena, text, &p->class_name, &p->n_class_names);
    if (p->n_class_names > count_classes(p)) p->n_class_names = count_classes(p); /* a text may name more */
    return status;
}

/* ---- which class a word means ----------------------------------------------------------------------------------------- */

/* The name that begins at or behind *at, without the spaces around it; *at moves behind it.  @return NULL: there is none */
static const char *next_name(const char **at, size_t *n)
{
    const char *name = *at + strspn(*at, ", ");
    *n = strcspn(name, ",");
    *at = name + *n;
    while (*n && name[*n - 1] == ' ') --*n;
    return *n ? name : NULL;
}

typedef enum likeness { LIKE_ALL, LIKE_NAME, LIKE_WORD, LIKENESSES } likeness; /* all names; one of them; but for A and a */

static bool is_called(const char *names, const char *word, likeness how)
{
    size_t n, length = strlen(word);
    if (how == LIKE_ALL) return *names && !strcmp(names, word);
    for (const char *at = names, *name; (name = next_name(&at, &n));)
        if (how == LIKE_NAME ? n == length && !memcmp(name, word, n) : limn_same_word(name, n, word, length)) return true;
    return false;
}

/* Does a name hold the word, whatever the case? */
static bool holds(const char *name, size_t n, const char *word, size_t length)
{
    for (size_t i = 0; length && i + length <= n; i++)
        if (limn_same_word(name + i, length, word, length)) return true;
    return false;
}

/* With the names that hold the word, or the one that it may be a slip of. */
static limn_status no_class(const limn_pipeline *p, const char *word)
{
    limn_text held = {0};
    limn_near near = limn_near_to(word, strlen(word));
    char shown[256], name[256];
    int found = 0;
    size_t n;
    for (int i = 0; i < p->n_class_names; i++)
        for (const char *at = p->class_name[i], *one; (one = next_name(&at, &n));) {
            limn_near_try(&near, one, n);
            if (!holds(one, n, word, strlen(word)) || found++ >= MOST_SHOWN) continue;
            limn_escape(one, n, name, sizeof name);
            limn_text_printf(&held, "%s%s (%d)", found > 1 ? ", " : "; near it: ", name, i);
        }
    limn_escape(word, strlen(word), shown, sizeof shown);
    limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "--class: this model has no class \"%s\"%s%s", shown,
              held.bytes ? held.bytes : limn_near_text(&near),
              p->n_class_names ? "" : ": it names none, give a number from 0 on");
    limn_text_free(&held);
    return LIMN_BAD_ARGUMENT;
}

static limn_status several(const limn_pipeline *p, const char *word, likeness how)
{
    limn_text all = {0};
    char shown[256], names[256];
    for (int i = 0; i < p->n_class_names; i++)
        if (is_called(p->class_name[i], word, how))
            limn_text_printf(&all, "%s%d (%s)", all.n ? ", " : "", i,
                             limn_escape(p->class_name[i], strlen(p->class_name[i]), names, sizeof names));
    limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "--class: \"%s\" is the name of several classes, %s: give the number",
              limn_escape(word, strlen(word), shown, sizeof shown), all.bytes ? all.bytes : "");
    limn_text_free(&all);
    return LIMN_BAD_ARGUMENT;
}

/* *how: by what it is found; *n: how many there are.  @return the first; -1: none */
static int find_published(const limn_pipeline *p, const char *word, likeness *how, int *n)
{
    int first = -1;
    *n = 0;
    for (*how = LIKE_ALL; *how < LIKENESSES && !*n; *how += !*n)
        for (int i = p->n_class_names - 1; i >= 0; i--)
            if (is_called(p->class_name[i], word, *how)) first = i, ++*n;
    return first;
}

int limn_pipeline_class(const limn_pipeline *p, const char *name)
{
    likeness how;
    int n, class;
    if (!p->published) return limn_class_find(p->class_name, p->n_class_names, -1, name).class;
    class = find_published(p, name, &how, &n);
    return n == 1 ? class : -1;
}

static limn_status out_of_range(const limn_pipeline *p, const limn_pipeline_info *info, const char *word)
{
    char shown[256], none[48] = "";
    if (info->guides) snprintf(none, sizeof none, ", or %d for none", info->classes);
    limn_escape(word, strlen(word), shown, sizeof shown);
    return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "--class: expected a class from 0 to %d%s, or its name%s, found %s",
                     info->classes - 1, none, p->published ? "" : " in training", shown);
}

static limn_status find_label(const limn_pipeline *p, const limn_pipeline_info *info, const char *word, int *label)
{
    likeness how;
    int n, class = find_published(p, word, &how, &n);
    if (n > 1) return several(p, word, how);
    if (!n) class = limn_class_find(NULL, 0, info->classes, word).class;
    if (class < 0) return limn_is_whole(word) ? out_of_range(p, info, word) : no_class(p, word);
    *label = class;
    return LIMN_OK;
}

limn_status limn_pipeline_label(const limn_pipeline *p, const char *word, int *label)
{
    char shown[256], name[256];
    limn_pipeline_info info = limn_pipeline_describe(p);
    if (!info.classes) return LIMN_OK;
    if (p->published) return find_label(p, &info, word, label);
    limn_class_word found = limn_class_find(info.class_name, info.n_class_names, info.classes, word);
    limn_escape(word, strlen(word), shown, sizeof shown);
    limn_class_tell(p->ctx, "--class", word, found);
    if (found.class < 0 && limn_is_whole(word)) return out_of_range(p, &info, word);
    if (found.class < 0)
        return limn_fail(
            p->ctx, LIMN_BAD_ARGUMENT,
            "--class: this model has no class \"%s\"; limn inspect lists them (limn.classes), or give a number from 0 on",
            shown);
    *label = found.class;
    const char *is = found.class < info.n_class_names ? info.class_name[found.class] : NULL;
    /* Names are numbers, and this one was none of them. */
    if (is && limn_is_whole(is) && limn_is_whole(word) && strcmp(is, word))
        limn_log(p->ctx, LIMN_LOG_WARN, "--class %s: no class had this name in training, its number is that of \"%s\"",
                 shown, limn_escape(is, strlen(is), name, sizeof name));
    return LIMN_OK;
}
