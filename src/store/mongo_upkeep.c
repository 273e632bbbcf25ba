/* mongo_upkeep.c - the heartbeat. Sweeping is the server's: its TTL indexes do it. */
#include "mongo.h"

/* A record of this process's own, so that many of them do not wait for each other. */
static enum err heartbeat(struct store *s)
{
    AUTO(mongo_call) struct mongo_call c = { 0 };
    AUTO(mongo_doc) bson_t filter = BSON_INITIALIZER;
    AUTO(mongo_bson) bson_t *update = BCON_NEW("$currentDate", "{", "at", BCON_BOOL(true), "}");
    TRY(mongo_call_open(s, "heartbeats", &c));
    mongo_put_uuid(&filter, "_id", mongo_of(s)->id);
    return mongo_update(&c, &filter, update, MONGO_UPSERT);
}

static enum err sweep(struct store *s, size_t max, bool *ret_more)
{
    (void)s;
    (void)max;
    *ret_more = false;
    return ERR_OK;
}

const struct store_upkeep_ops mongo_upkeep_ops = {
    .heartbeat = heartbeat,
    .sweep = sweep,
};
