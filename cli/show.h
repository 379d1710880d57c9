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

/* A picture that is drawn anew in its place.  Begins as {0}. */
typedef struct cli_shown {
    int rows; /* of characters above the line of the cursor; 0: it is not there */
} cli_shown;

/** Is there a terminal that takes back what it shows, and is high enough? */
bool cli_show_moves(void);
/** Draw over the one before, as large as the window allows.  Nothing else may have been printed meanwhile. */
void cli_show_over(limn_ctx *ctx, const limn_image *image, cli_shown *shown);
/** Take it away. */
void cli_show_erase(cli_shown *shown);

#endif
