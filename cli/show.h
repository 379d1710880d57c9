/* show.h: pictures in a terminal. */
#ifndef LIMN_CLI_SHOW_H
#define LIMN_CLI_SHOW_H

#include "file/image.h"

/** Draw a picture on the terminal behind stdout (or stderr, when stdout is none): by the graphics protocols of kitty and
 *  iTerm2 where the terminal says that it has them, else in half blocks of 24-bit colour; in shades of gray text under
 *  NO_COLOR.
 *  @param png  the same picture as a file, for the protocols
 *  @return false when there is no terminal */
bool cli_show(limn_ctx *ctx, const limn_image *image, const char *png);

#endif
