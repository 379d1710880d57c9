/* ports.h: the ports of a network by name.  This table is the one place where a name meets a field of limn_ports. */
#ifndef LIMN_NET_PORTS_H
#define LIMN_NET_PORTS_H

#include "model/model.h"

typedef enum limn_port_name {
    LIMN_PORT_FEATURES, LIMN_PORT_POOLED, LIMN_PORT_IDS, LIMN_PORT_VECTORS, LIMN_PORT_KEPT, LIMN_PORT_MASK,
    LIMN_PORT_TEXT_END, LIMN_PORT_SIZES, LIMN_PORT_RESOLUTION, LIMN_PORT_LABEL, LIMN_PORT_CONDITION, LIMN_PORT_GUIDANCE,
    LIMN_PORT_TIMESTEPS, LIMN_PORT_STEP,
    LIMN_PORT_IMAGE, LIMN_PORT_LATENT, LIMN_PORT_NOISE, LIMN_PORT_OUTPUT, LIMN_PORTS
} limn_port_name;

enum { LIMN_PORTS_TEXT = 256 };

typedef struct limn_port_row {
    const char *name;
    size_t at;         /* in limn_ports */
    bool joined;       /* as an input it is what another part gives; all else is the job's own to write: ids, the picture */
} limn_port_row;

extern const limn_port_row limn_port_rows[LIMN_PORTS];

/* What can be said of a port without a graph.  Shapes are those of a batch of 1. */
typedef struct limn_port {
    bool there, input;
    limn_shape shape;
} limn_port;

/** Row by name, as wires have it.  @return -1: there is none */
int limn_port_find(const char *name);
/** NULL: the network lacks it. */
limn_node *limn_port_node(const limn_ports *ports, limn_port_name row);
/** What can be said of a graph's ports.  @param out  [LIMN_PORTS] */
void limn_ports_list(const limn_ports *ports, limn_port *out);
/** The ports of a network of these settings: it is built, and not planned.  @param out  [LIMN_PORTS] */
limn_status limn_ports_look(limn_ctx *ctx, const limn_settings *s, limn_model_part part, limn_port *out);
/** The names of those that are there: "ids text_end features".  out needs LIMN_PORTS_TEXT bytes.  @return out */
char *limn_ports_text(const limn_port *ports, char *out);

#endif
