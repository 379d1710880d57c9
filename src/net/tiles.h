/* tiles.h: a picture cut into tiles that overlap, and laid together again: places and weights along one axis. */
#ifndef LIMN_TILES_H
#define LIMN_TILES_H

/** Tiles along an axis of n pixels, each of `tile`, neighbours sharing `overlap` at least (less where a step would be
 *  shorter than the grid). */
int limn_tiles_count(int n, int tile, int overlap, int grid);
/** First pixel of tile i, on the grid: evenly spread, the last one ends with the picture or just beyond; a picture smaller
 *  than a tile lies in its middle. */
int limn_tiles_begin(int i, int tiles, int n, int tile, int grid);
/** The weight of pixel i of `tile`: 1 in the middle, falling in a line over the overlap. */
float limn_tiles_ramp(int i, int tile, int overlap);

#endif
