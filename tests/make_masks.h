/* make_masks.h: a folder of pictures with masks, for networks of classes. */
#ifndef MAKE_MASKS_H
#define MAKE_MASKS_H

#include "make_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/stat.h>

/* FOLDER/images and FOLDER/masks: five of 20 x 18 pixels. */
static void put_masks(const char *folder)
{
    char path[128];
    mkdir(folder, 0777);
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "%s/%s", folder, k ? "masks" : "images"), mkdir(path, 0777);
        for (int i = 0; i < 5; i++) {
            uint8_t pixels[20 * 18];
            for (int p = 0; p < 20 * 18; p++)
                pixels[p] = (uint8_t)((p * (i + 3) / 7 + p / 20) % 2 * (k ? 255 : 90 + p % 50));
            made m = make_plain_png(20, 18, 1, pixels);
            snprintf(path, sizeof path, "%s/%s/%d.png", folder, k ? "masks" : "images", i);
            FILE *f = fopen(path, "wb");
            assert_non_null(f);
            assert_int_equal(fwrite(m.bytes, 1, m.n, f), m.n);
            fclose(f), free(m.bytes);
        }
    }
}

#endif
