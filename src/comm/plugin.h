/* plugin.h: what a plugin has that carries a group's bytes: a shared library of its own, so that the program needs no MPI
 * (comm_mpi.c is the one there is).  It uses none of Limn's functions.
 *
 * Functions return 0, or fill error[LIMN_PLUGIN_ERROR] with a sentence and return anything else.  They are called by one
 * thread at a time, those of a group in the same order on all ranks. */
#ifndef LIMN_PLUGIN_H
#define LIMN_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

enum { LIMN_PLUGIN_VERSION = 1, LIMN_PLUGIN_ERROR = 512 };

typedef struct limn_comm_plugin {
    int version; /* LIMN_PLUGIN_VERSION */
    /** Joins the group that a launcher began.
     *  @param patience  seconds that a rank may be silent, stopped or cut off: then this process says so on stderr and ends
     *                   all of them; 0: for ever */
    int (*open)(double patience, void **group, int *rank, int *size, char *error);
    /* As the functions of limn_comm_engine (comm.h). */
    int (*gather)(void *group, size_t bytes, const void *mine, void *all, char *error);
    int (*exchange)(void *group, size_t bytes, const void *out, void *in, char *error);
    int (*broadcast)(void *group, int root, size_t bytes, void *data, char *error);
    void (*at_step)(void *group, int64_t step); /* for what is said of a rank that is silent */
    void (*close)(void *group);                 /* on every rank; waits for all */
} limn_comm_plugin;

/* The symbol by which a plugin is found: const limn_comm_plugin limn_plugin. */
#define LIMN_PLUGIN_SYMBOL "limn_plugin"

#endif
