/* tiles.c: see tiles.h. */
#include "net/tiles.h"

#include <stdint.h>

static int quotient_up(int a, int b)
{
    return (a + b - 1) / b;
}

int limn_tiles_count(int n, int tile, int overlap, int grid)
{
    int step = tile - overlap < grid ? 1 : (tile - overlap) / grid;
    return n <= tile ? 1 : quotient_up(quotient_up(n - tile, grid), step) + 1;
}

int limn_tiles_begin(int i, int tiles, int n, int tile, int grid)
{
    if (tiles == 1) return -((tile - n) / 2 / grid * grid);
    return (int)((int64_t)i * quotient_up(n - tile, grid) / (tiles - 1)) * grid;
}

float limn_tiles_ramp(int i, int tile, int overlap)
{
    int inside = i < tile - 1 - i ? i : tile - 1 - i;
    return inside >= overlap ? 1 : (float)(inside + 1) / (float)(overlap + 1);
}
