/* comm_plugin.c: a group whose bytes a plugin carries (plugin.h). */
#include "comm/comm.h"
#include "comm/plugin.h"

#include <dlfcn.h>
#include <stdlib.h>

typedef struct plugged {
    limn_comm comm; /* first */
    void *library, *group;
    const limn_comm_plugin *plugin;
} plugged;

static limn_status came_to(limn_comm *comm, int result, const char *error)
{
    return result == 0 ? LIMN_OK : limn_fail(comm->ctx, LIMN_IO, "between rank %d and others: %s", comm->rank, error);
}

static limn_status gather(limn_comm *comm, size_t bytes, const void *mine, void *all)
{
    plugged *p = (plugged *)comm;
    char error[LIMN_PLUGIN_ERROR] = "";
    return came_to(comm, p->plugin->gather(p->group, bytes, mine, all, error), error);
}

static limn_status exchange(limn_comm *comm, size_t bytes, const void *out, void *in)
{
    plugged *p = (plugged *)comm;
    char error[LIMN_PLUGIN_ERROR] = "";
    return came_to(comm, p->plugin->exchange(p->group, bytes, out, in, error), error);
}

static limn_status broadcast(limn_comm *comm, int root, size_t bytes, void *data)
{
    plugged *p = (plugged *)comm;
    char error[LIMN_PLUGIN_ERROR] = "";
    return came_to(comm, p->plugin->broadcast(p->group, root, bytes, data, error), error);
}

static void at_step(limn_comm *comm, int64_t step)
{
    plugged *p = (plugged *)comm;
    p->plugin->at_step(p->group, step);
}

/* The library stays loaded: what MPI began does not end with a group. */
static void close(limn_comm *comm)
{
    plugged *p = (plugged *)comm;
    p->plugin->close(p->group);
    free(p);
}

static const limn_comm_engine by_plugin = {
    .gather = gather, .exchange = exchange, .broadcast = broadcast, .at_step = at_step, .close = close};

/* RTLD_GLOBAL: Open MPI loads parts of its own that look for its functions. */
static limn_status load(limn_ctx *ctx, const char *path, plugged *p)
{
    p->library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (!p->library)
        return limn_fail(ctx, LIMN_NOT_FOUND, "the plugin for several processes cannot be loaded: %s", dlerror());
    p->plugin = dlsym(p->library, LIMN_PLUGIN_SYMBOL);
    if (!p->plugin || p->plugin->version != LIMN_PLUGIN_VERSION)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s is no plugin of this version of Limn: expected its " LIMN_PLUGIN_SYMBOL
                         " to be version %d", path, LIMN_PLUGIN_VERSION);
    return LIMN_OK;
}

limn_status limn_comm_load(limn_ctx *ctx, const char *plugin, double patience, limn_comm **out)
{
    *out = NULL;
    plugged *p = calloc(1, sizeof *p);
    if (!p) return limn_fail_memory(ctx, sizeof *p, "a group of ranks");
    char error[LIMN_PLUGIN_ERROR] = "";
    limn_status status = load(ctx, plugin, p);
    p->comm = (limn_comm){.engine = &by_plugin, .ctx = ctx};
    if (status == LIMN_OK && p->plugin->open(patience, &p->group, &p->comm.rank, &p->comm.size, error) != 0)
        status = limn_fail(ctx, LIMN_IO, "no group of processes: %s", error);
    if (status != LIMN_OK) return free(p), status;
    *out = &p->comm;
    return LIMN_OK;
}
