/* classes.h: names of classes: a line each in a model's metadata (limn.classes), and what a word on the command line
 * means. */
#ifndef LIMN_CLASSES_H
#define LIMN_CLASSES_H

#include "base/base.h"

/** Append a name and a line break; in the name a line break becomes \n, a carriage return \r, a backslash \\, so that no
 *  name moves those after it. */
void limn_class_name_write(limn_text *out, const char *name);
/** The names in a text of such lines; a backslash before another letter, as in models of older versions, is one.
 *  @return LIMN_OK: both strings and list live in the arena; LIMN_NO_MEMORY */
limn_status limn_class_names_read(limn_ctx *ctx, limn_arena *arena, const char *text, const char *const **names, int *n);

/* What a word means where classes are chosen. */
typedef struct limn_class_word {
    int class;     /* its name's place, else its number; -1: neither fits */
    int number;    /* what it would be as a number, -1: no number from 0 to `most` */
} limn_class_word;
/**
 * A class by its name in training, or by its number.  Names may be numbers ("10"): a name goes first; "@10" is the number,
 * unless a name is "@10".
 * @param most  the largest number there is
 */
limn_class_word limn_class_find(const char *const *names, int n, int most, const char *word);
/** Where name and number both fit and differ, a line for the log: `--class 1: the class that was named "1" in training, its
 *  number is 0; @1 is the class number 1`. */
void limn_class_tell(limn_ctx *ctx, const char *flag, const char *word, limn_class_word found);

#endif
