/* rows.h: what a data set is before a picture is decoded: a file, a caption, a class for every picture. */
#ifndef LIMN_ROWS_H
#define LIMN_ROWS_H

#include "base/base.h"

typedef struct limn_row {
    const char *file;      /* path of the picture; NULL for the shapes */
    const char *caption;   /* UTF-8, "" without one */
    const char *class;     /* NULL: none */
    int32_t label;         /* place of class among limn_rows.classes, -1 without one */
} limn_row;

typedef struct limn_rows {
    limn_arena *arena;     /* holds every string */
    limn_row *row;
    int64_t n, capacity;
    const char **classes;  /* distinct, sorted: whole numbers by value when all are, else by bytes */
    int64_t n_classes, class_capacity;
    const uint8_t *pixels; /* [n,height,width] gray, in the arena, when no row is a file of its own; NULL: files or shapes */
    int width, height;
} limn_rows;

typedef struct limn_row_fields {
    const char *where;     /* NULL, or "split=train,style=noto" */
    const char *caption;   /* NULL: "text" */
    const char *label;     /* NULL: "label" */
} limn_row_fields;

limn_status limn_rows_new(limn_ctx *ctx, limn_rows *rows);
void limn_rows_free(limn_rows *rows);
/** Append; file, caption and class must live in rows->arena. */
limn_status limn_rows_add(limn_ctx *ctx, limn_rows *rows, const char *file, const char *caption, const char *class);
/** Note a class, also of a row that is left out, so that labels do not depend on --where. */
limn_status limn_rows_note_class(limn_ctx *ctx, limn_rows *rows, const char *class);
/** Sort the classes and give every row its label. */
void limn_rows_label(limn_rows *rows);

/** Rows of a metadata.jsonl: an object a line with file_name (inside `folder`) and a caption; blank lines are skipped.
 *  @param  name   what messages call the bytes
 *  @return LIMN_OK; LIMN_BAD_FILE: every malformed line is logged as a warning, the first one's line, column and byte are in the
 *          sentence; LIMN_BAD_ARGUMENT: `where` or a field that no row has; LIMN_NO_MEMORY.  The caller frees rows in any case. */
limn_status limn_rows_jsonl(limn_ctx *ctx, const char *name, const char *folder, const char *bytes, size_t n, const limn_row_fields *fields, limn_rows *rows);
/** Rows of a folder without metadata.jsonl, in the order of their paths' bytes (.png .jpg .jpeg .webp, hidden ones left out):
 *  pictures in two or more sub-folders and none beside them: class folders, whose names are classes and captions;
 *  else the pictures of the folder and of its sub-folders.  NAME.txt beside a picture is its caption in either. */
limn_status limn_rows_folder(limn_ctx *ctx, const char *folder, limn_rows *rows);

/** Rows of train-images-idx3-ubyte and train-labels-idx1-ubyte in a folder, either with .gz: classes and captions are 0 to 9.
 *  @return LIMN_OK; LIMN_NOT_FOUND: no such pictures there; LIMN_BAD_FILE: damaged, or the two do not agree; LIMN_NO_MEMORY */
limn_status limn_rows_idx(limn_ctx *ctx, const char *folder, limn_rows *rows);

/** LIMN_OK, or a sentence "NAME line L: byte B is not UTF-8" or about a zero byte. */
limn_status limn_text_check(limn_ctx *ctx, const char *name, const char *bytes, size_t n);

#endif
