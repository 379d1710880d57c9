/* tile.inc.h: the heart of an f32 product: 6 rows by 2 vectors of C in 12 registers.  Included by rows.inc.h.
 *
 *   C [rows][cols] (+)= A [rows][n] B [n][2 V],   element (r, i) of A at a[r a_row + i a_step],   B packed: rows of 2 V floats
 *
 * Each element is summed in the order of i.  Rows past the last are computed from the last one and dropped (Goto & van de Geijn 2008). */

static void tile(float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_step, const float *b, int64_t n, int rows, int cols, bool add)
{
    enum { R = LIMN_TILE_ROWS };
    int64_t at[R];
    for (int r = 0; r < R; r++) at[r] = (r < rows ? r : rows - 1) * a_row;
    int64_t a1 = at[1], a2 = at[2], a3 = at[3], a4 = at[4], a5 = at[5];
    vec c00 = {0}, c01 = {0}, c10 = {0}, c11 = {0}, c20 = {0}, c21 = {0}, c30 = {0}, c31 = {0}, c40 = {0}, c41 = {0}, c50 = {0}, c51 = {0};
    for (int64_t i = 0; i < n; i++, a += a_step, b += 2 * V) {
        vec x = get_vec(b), y = get_vec(b + V);
        c00 += a[0] * x, c01 += a[0] * y;
        c10 += a[a1] * x, c11 += a[a1] * y;
        c20 += a[a2] * x, c21 += a[a2] * y;
        c30 += a[a3] * x, c31 += a[a3] * y;
        c40 += a[a4] * x, c41 += a[a4] * y;
        c50 += a[a5] * x, c51 += a[a5] * y;
    }
    vec sum[R][2] = {{c00, c01}, {c10, c11}, {c20, c21}, {c30, c31}, {c40, c41}, {c50, c51}};
    for (int r = 0; r < rows; r++, c += c_row) {
        if (cols == 2 * V) {
            put_vec(c, add ? get_vec(c) + sum[r][0] : sum[r][0]);
            put_vec(c + V, add ? get_vec(c + V) + sum[r][1] : sum[r][1]);
            continue;
        }
        float row[2 * V];
        put_vec(row, sum[r][0]);
        put_vec(row + V, sum[r][1]);
        for (int i = 0; i < cols; i++) c[i] = add ? c[i] + row[i] : row[i];
    }
}
