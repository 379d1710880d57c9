/* nifti_place.c: where a NIfTI-1 volume lies in space, by its header (nifti1.h, methods 2 and 3). */
#include "file/nifti.h"

#include "file/nifti_header.h"

#include <math.h>

enum { PIXDIM = 76, QFORM_CODE = 252, SFORM_CODE = 254, QUATERN = 256, QOFFSET = 268, SROW = 280 };

/* x = m v, v = (column, row, slice, 1) */
typedef struct place {
    double m[3][4];
} place;

static double real(const unsigned char *h, bool swap, int at)
{
    return (double)limn_nifti_f32(h + at, swap);
}

/* A turn by the quaternion (a, b, c, d), a >= 0 not stored; then pixdim's sides, the third mirrored where pixdim[0] < 0. */
static void from_qform(const unsigned char *h, bool swap, place *p)
{
    double b = real(h, swap, QUATERN), c = real(h, swap, QUATERN + 4), d = real(h, swap, QUATERN + 8),
           rest = 1 - (b * b + c * c + d * d);
    double a = rest > 1e-7 ? sqrt(rest) : 0, by = a > 0 ? 1 : 1 / sqrt(b * b + c * c + d * d);
    b *= by, c *= by, d *= by;
    const double turn[3][3] = {{a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
                               {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
                               {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c}};
    double mirror = real(h, swap, PIXDIM) < 0 ? -1 : 1;
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) p->m[i][k] = turn[i][k] * real(h, swap, PIXDIM + 4 * (k + 1)) * (k == 2 ? mirror : 1);
        p->m[i][3] = real(h, swap, QOFFSET + 4 * i);
    }
}

/* sform before qform, as nibabel and ITK choose; false: neither, or no numbers. */
static bool place_of(const limn_raster *r, place *p)
{
    if (r->kind != LIMN_RASTER_NIFTI) return false;
    const unsigned char *h = r->header;
    bool swap = limn_nifti_u32(h, false) != LIMN_NIFTI_HEADER, finite = true;
    if (limn_nifti_i16(h + SFORM_CODE, swap) > 0)
        for (int i = 0; i < 12; i++) p->m[i / 4][i % 4] = real(h, swap, SROW + 4 * i);
    else if (limn_nifti_i16(h + QFORM_CODE, swap) > 0) from_qform(h, swap, p);
    else return false;
    for (int i = 0; i < 12; i++) finite = finite && isfinite(p->m[i / 4][i % 4]);
    return finite;
}

double limn_nifti_apart(const limn_raster *a, const limn_raster *b)
{
    place p, q;
    double most = 0, side = INFINITY;
    if (!place_of(a, &p) || !place_of(b, &q)) return 0;
    for (int corner = 0; corner < 8; corner++) {
        double v[4] = {corner & 1 ? a->width - 1 : 0, corner & 2 ? a->height - 1 : 0, corner & 4 ? a->slices - 1 : 0, 1},
               squared = 0;
        for (int i = 0; i < 3; i++) {
            double d = 0;
            for (int k = 0; k < 4; k++) d += (p.m[i][k] - q.m[i][k]) * v[k];
            squared += d * d;
        }
        most = fmax(most, sqrt(squared));
    }
    for (int k = 0; k < 3; k++)
        side = fmin(side, sqrt(p.m[0][k] * p.m[0][k] + p.m[1][k] * p.m[1][k] + p.m[2][k] * p.m[2][k]));
    return side > 0 ? most / side : 0;
}
