/* window.h: attention inside windows of pixels, Liu et al. 2021 (Swin).   x [B,H,W,C], H and W multiples of the window's
 * side. */
#ifndef LIMN_WINDOW_H
#define LIMN_WINDOW_H

#include "model/blocks.h"

typedef struct limn_window {
    int side;     /* pixels; as large as the picture: one window, which is attention over everything */
    int shift[2]; /* rows, columns by which the windows are moved, 0 .. side - 1; what comes round the edge is masked */
    int heads;
    bool starts_at_zero; /* proj: what the attention is added to is unchanged at first */
} limn_window;

/** Windows of a picture [B,H,W,C]; every second block (odd i) moves them, down and right where there is more than one. */
limn_window limn_window_of(int side, int shift, limn_shape picture, int heads, int i);
/** Scope `name`: qkv, attention in windows with relative positions, proj. */
limn_node *limn_window_attention(limn_graph *g, const char *name, limn_node *x, limn_window window);

#endif
