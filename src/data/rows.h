/* rows.h: what a data set is before a picture is decoded: a file, a caption, a class for every picture. */
#ifndef LIMN_ROWS_H
#define LIMN_ROWS_H

#include "base/base.h"

enum { LIMN_CAPTION_FIELDS = 8 };

/* The texts of one field of a row, none of them empty. */
typedef struct limn_texts {
    int n;
    const char *const *text;
} limn_texts;

typedef struct limn_row {
    const char *file;      /* path of the picture; NULL for the shapes */
    const char *caption;   /* UTF-8, "" without one; of several the first */
    const char *class;     /* NULL: none */
    const limn_texts
        *texts; /* [limn_rows.n_fields]: several captions, of which every sample draws one; NULL: caption is all there is */
    int32_t label;         /* place of class among limn_rows.classes, -1 without one */
    bool beside;           /* caption is a text beside the picture, which metadata.jsonl has none for */
    int32_t line;          /* of metadata.jsonl, from 1; 0: none */
} limn_row;

/* Where captions came from, for the line before the first step. */
typedef struct limn_caption_facts {
    const char *field; /* of metadata.jsonl, as --caption-field says it; NULL: there is no metadata.jsonl, or no row has a
                          caption in it */
    const char *other;     /* fields of its rows that hold text and were not read, in quotes; NULL: none */
    bool asked;            /* --caption-field was given */
    bool unclear;          /* two fields could be meant, and none of them is "text" */
    int64_t skipped;       /* empty texts beside others of their row */
    int64_t txt, caption;  /* pictures whose caption is that of NAME.txt, of NAME.caption */
    int64_t differ;        /* pictures that have both, with different texts: NAME.txt is read */
    int64_t classes;       /* pictures whose caption is the name of their folder */
} limn_caption_facts;

typedef struct limn_rows {
    limn_arena *arena;     /* holds every string */
    limn_row *row;
    int64_t n, capacity;
    const char **classes;  /* distinct, sorted: whole numbers by value when all are, else by bytes */
    int64_t n_classes, class_capacity;
    int64_t n_left_out;    /* rows of metadata.jsonl that --where left out */
    int n_fields;          /* of captions */
    double weight[LIMN_CAPTION_FIELDS]; /* how often each is drawn, relative to the others */
    limn_caption_facts captions;
    const uint8_t *pixels; /* [n,height,width] gray, in the arena, when no row is a file of its own; NULL: files or shapes */
    int width, height;
} limn_rows;

typedef struct limn_row_fields {
    const char *where;     /* NULL, or "split=train,style=noto" */
    const char *caption;   /* NULL: "text", else "caption" or "prompt", where rows have one of them; "text,keywords" or
                              "text:0.7,keywords:0.3": several */
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
 *  @return LIMN_OK; LIMN_BAD_FILE: every malformed line is logged as a warning, the first one's line, column and byte are in
 *  the
 *          sentence; LIMN_BAD_ARGUMENT: `where` or a field that no row has; LIMN_NO_MEMORY.  The caller frees rows in any
 *          case. */
limn_status limn_rows_jsonl(limn_ctx *ctx, const char *name, const char *folder, const char *bytes, size_t n,
                            const limn_row_fields *fields, limn_rows *rows);
/** Rows of a folder without metadata.jsonl, in the order of their paths' bytes (.png .jpg .jpeg .webp, hidden ones left
 *  out): pictures in two or more sub-folders and none beside them: class folders, whose names are classes and captions;
 *  else the pictures of the folder and of its sub-folders.  NAME.txt beside a picture is its caption in either. */
limn_status limn_rows_folder(limn_ctx *ctx, const char *folder, limn_rows *rows);

/** Rows of train-images-idx3-ubyte and train-labels-idx1-ubyte in a folder, either with .gz: classes and captions are 0 to
 *  9.
 *  @return LIMN_OK; LIMN_NOT_FOUND: no such pictures there; LIMN_BAD_FILE: damaged, or the two do not agree;
 *  LIMN_NO_MEMORY */
limn_status limn_rows_idx(limn_ctx *ctx, const char *folder, limn_rows *rows);

/** Captions of rows that have none, from NAME.txt or NAME.caption beside the picture. */
limn_status limn_rows_sidecars(limn_ctx *ctx, limn_rows *rows);

/** Names and weights of --caption-field.  @return their number; 0 after a sentence: LIMN_BAD_ARGUMENT.  Names live in the
 *  arena. */
int limn_caption_fields(limn_ctx *ctx, limn_arena *arena, const char *text, const char *name[LIMN_CAPTION_FIELDS],
                        double weight[LIMN_CAPTION_FIELDS]);
/** The caption that row i has at a position of training: first a field by its weight among those that have texts there, then
 *  one of its texts, each as likely; a function of (seed, position) alone. */
const char *limn_row_caption(const limn_rows *rows, int64_t i, uint64_t seed, uint64_t position);
/** What a network that reads text will read: one line with counts; a warning where captions are missing.
 *  @param none_is_fine  go on though no row has a caption
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT: no row has one, or it is unclear which field is meant */
limn_status limn_captions_tell(limn_ctx *ctx, const char *folder, const limn_rows *rows, bool none_is_fine);

/** LIMN_OK, or a sentence "NAME line L: byte B is not UTF-8" or about a zero byte. */
limn_status limn_text_check(limn_ctx *ctx, const char *name, const char *bytes, size_t n);

#endif
