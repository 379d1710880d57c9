/* open.h: a weight file that holds a network, opened: its settings, and of several sets of its weights one. */
#ifndef LIMN_NET_OPEN_H
#define LIMN_NET_OPEN_H

#include "file/weight_file.h"
#include "net/ports.h"

/** Open the weights of a network that is to run: settings as limn_net_settings_among(), and of several sets of its
 *  weights in the file the one that limn_ctx_set_weights() names, else EMA.  *st has that set under the network's names; the
 *  log is told which of which.
 *  @param families  NULL: any network.  @return LIMN_OK: close *st; LIMN_BAD_ARGUMENT: no such set, or several (they are
 *  named) */
limn_status limn_net_open(limn_ctx *ctx, const char *file, const char *families, limn_weight_file **st,
                              limn_settings *out);
/** The same of a file that is open, as one with several networks is.  whole: it may be closed before *st.
 *  @param port  NULL, or [LIMN_PORTS]: what limn_ports_look() says of the whole network */
limn_status limn_net_open_in(limn_ctx *ctx, const char *file, limn_weight_file *whole, const char *families,
                             limn_weight_file **st, limn_settings *out, limn_port *port);
/** The same for weights that are trained further, of a network that is known: raw ones, unless limn_ctx_set_weights() says
 *  otherwise.  Where nothing fits *st has all tensors, and what is missing is said when they are loaded. */
limn_status limn_net_open_start(limn_ctx *ctx, const char *file, const limn_graph *g, limn_weight_file **st);
/** Settings in a weight file's metadata; without them, those of the published network it holds (model/map/map.h).
 *  @return LIMN_UNSUPPORTED when it is neither */
limn_status limn_net_settings_of(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_settings *out);
/** The same; of a published file with several networks the first of these families ("vae tae"), of another file what it
 *  holds. */
limn_status limn_net_settings_among(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *families,
                                    limn_settings *out);

#endif
