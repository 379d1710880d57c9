/* enlarge.c: see enlarge.h. */
#include "denoise/enlarge.h"

/* Pixel (row, column) of the small picture, channel k. */
static double small_at(const float *x, int block, int width, int channels, int row, int column, int k)
{
    double sum = 0;
    for (int i = 0; i < block; i++)
        for (int j = 0; j < block; j++) sum += x[((row * block + i) * width * block + column * block + j) * channels + k];
    return sum / (block * block);
}

/* Pixel i lies between two small ones, *weight of the way to the second. */
static void between(int i, int small, double factor, int at[2], double *weight)
{
    double place = (i + 0.5) / factor - 0.5;
    if (place < 0) place = 0;
    at[0] = (int)place;
    at[1] = at[0] + 1 < small ? at[0] + 1 : at[0];
    *weight = place - at[0];
}

void limn_enlarged(const float *x, int block, int height, int width, int channels, int to_height, int to_width, float *out)
{
    int row[2], column[2];
    double down, right;
    for (int i = 0; i < to_height; i++) {
        between(i, height, (double)to_height / height, row, &down);
        for (int j = 0; j < to_width; j++) {
            between(j, width, (double)to_width / width, column, &right);
            for (int k = 0; k < channels; k++) {
                double upper = (1 - right) * small_at(x, block, width, channels, row[0], column[0], k) +
                               right * small_at(x, block, width, channels, row[0], column[1], k);
                double lower = (1 - right) * small_at(x, block, width, channels, row[1], column[0], k) +
                               right * small_at(x, block, width, channels, row[1], column[1], k);
                out[(i * to_width + j) * channels + k] = (float)((1 - down) * upper + down * lower);
            }
        }
    }
}
