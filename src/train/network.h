/* network.h: the inside of a network that was named: limn/network.h. */
#ifndef LIMN_TRAIN_NETWORK_H
#define LIMN_TRAIN_NETWORK_H

#include "limn/network.h"
#include "model/model.h"

struct limn_network {
    limn_ctx *ctx;
    limn_settings settings;
    const char *loss;               /* the one a file's network was trained with; NULL: its family's */
    char text[LIMN_SETTINGS_BYTES]; /* of the settings */
};

#endif
