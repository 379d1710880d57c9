/* labels.h: a class for every pixel. */
#ifndef LIMN_LABELS_H
#define LIMN_LABELS_H

/* Classes are 0 .. LIMN_MAX_CLASSES - 1; what nobody judges is LIMN_IGNORED. */
enum { LIMN_MAX_CLASSES = 255, LIMN_IGNORED = 255 };

#endif
