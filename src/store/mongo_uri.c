/* mongo_uri.c - the connection URI with our limits and guarantees in it.
 *
 * What the URI says against them is refused rather than overridden in silence. No message repeats a
 * part of the URI: it may carry a password. */
#include "mongo.h"

#include <string.h>

/* What may be said of an option: nothing, or the one value that is ours anyway. */
static const struct {
    const char *option;
    const char *only; /* NULL: leave it out */
    const char *instead;
} owned[] = {
    { "maxPoolSize", NULL, "set MONGO_POOL" },
    { "waitQueueTimeoutMS", NULL, "set MONGO_POOL_WAIT_MS" },
    { "serverSelectionTimeoutMS", NULL, "set MONGO_SELECTION_TIMEOUT_MS" },
    { "socketTimeoutMS", NULL, "set MONGO_SOCKET_TIMEOUT_MS" },
    { "connectTimeoutMS", NULL, "set MONGO_SOCKET_TIMEOUT_MS" },
    { "wTimeoutMS", NULL, "MONGO_SOCKET_TIMEOUT_MS bounds it" },
    { "w", "majority", "every write waits for a majority" },
    { "journal", "true", "every write waits for the journal" },
    { "readConcernLevel", "majority", "every read is of what a majority has" },
    { "readPreference", "primary", "every read is of the primary" },
    { "readPreferenceTags", NULL, "every read is of the primary" },
    { "maxStalenessSeconds", NULL, "every read is of the primary" },
    { "retryWrites", "true", "a write is repeated until its fate is known" },
    { "retryReads", "true", "a read is repeated where that helps" },
    { "safe", "true", "every write waits for a majority" },
    { "slaveOk", "false", "every read is of the primary" },
};

/* Cuts the next NAME=VALUE off *rest. */
static bool next_option(struct span *rest, struct span *ret_name, struct span *ret_value)
{
    struct span pair;
    while (rest->length > 0) {
        size_t end = 0;
        while (end < rest->length && rest->data[end] != '&' && rest->data[end] != ';') {
            end++;
        }
        pair = span_slice(*rest, 0, end);
        *rest = span_from(*rest, end + 1);
        if (pair.length > 0) {
            size_t equals = span_find(pair, '=');
            *ret_name = span_slice(pair, 0, equals);
            *ret_value = span_from(pair, equals + 1);
            return true;
        }
    }
    return false;
}

static enum err check_option(struct span name, struct span value, struct arena *a,
                             struct span *ret_why)
{
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
        bool is_it = span_equal_nocase(name, span_of(owned[i].option));
        bool fits = owned[i].only != NULL && span_equal_nocase(value, span_of(owned[i].only));
        if (is_it && !fits) {
            TRY(arena_printf(a, ret_why, "leave %s%s%s out of the URI: %s", owned[i].option,
                             owned[i].only != NULL ? " other than " : "",
                             owned[i].only != NULL ? owned[i].only : "", owned[i].instead));
            return ERR_CONFIG;
        }
    }
    return ERR_OK;
}

static enum err check_options(struct span uri, struct arena *a, struct span *ret_why)
{
    struct span rest = span_from(uri, span_find(uri, '?') + 1);
    struct span name;
    struct span value;
    while (next_option(&rest, &name, &value)) {
        TRY(check_option(name, value, a, ret_why));
    }
    return ERR_OK;
}

static bool put_limits(mongoc_uri_t *uri, const struct store_options *options)
{
    return mongoc_uri_set_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE, (int32_t)options->pool) &&
           mongoc_uri_set_option_as_int32(uri, MONGOC_URI_WAITQUEUETIMEOUTMS,
                                          (int32_t)options->pool_wait_ms) &&
           mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS,
                                          (int32_t)options->selection_timeout_ms) &&
           mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS,
                                          (int32_t)options->socket_timeout_ms) &&
           mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS,
                                          (int32_t)options->socket_timeout_ms) &&
           mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, true) &&
           mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, true) &&
           (mongoc_uri_get_appname(uri) != NULL || mongoc_uri_set_appname(uri, "doorward")) &&
           (mongoc_uri_get_database(uri) != NULL || mongoc_uri_set_database(uri, "doorward"));
}

/* The majority is waited for a little less long than for the answer, so that a lagging one is an
 * answer and not a broken connection. */
static void put_guarantees(mongoc_uri_t *uri, int64_t socket_timeout_ms)
{
    mongoc_write_concern_t *write = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(write, (int32_t)(socket_timeout_ms - socket_timeout_ms / 8));
    mongoc_write_concern_set_journal(write, true);
    mongoc_uri_set_write_concern(uri, write);
    mongoc_write_concern_destroy(write);

    mongoc_read_concern_t *read = mongoc_read_concern_new();
    (void)mongoc_read_concern_set_level(read, MONGOC_READ_CONCERN_LEVEL_MAJORITY);
    mongoc_uri_set_read_concern(uri, read);
    mongoc_read_concern_destroy(read);

    mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_uri_set_read_prefs_t(uri, primary);
    mongoc_read_prefs_destroy(primary);
}

enum err mongo_uri_read(const struct store_options *options, struct arena *a, struct span *ret_why,
                        mongoc_uri_t **ret_uri)
{
    struct span text = SPAN_NONE;
    bson_error_t error;
    TRY(check_options(options->uri, a, ret_why));
    TRY(arena_copy(a, options->uri, &text));
    mongoc_uri_t *uri = mongoc_uri_new_with_error(text.data, &error);
    if (uri == NULL) {
        *ret_why = SPAN("is not a URI that libmongoc takes, as in mongodb://user:password@host/"
                        "database?tls=true; in names and passwords : / ? # [ ] @ % are written "
                        "%3A %2F %3F %23 %5B %5D %40 %25");
        return ERR_CONFIG;
    }
    if (!put_limits(uri, options)) {
        mongoc_uri_destroy(uri);
        *ret_why = SPAN("libmongoc does not take the limits of MONGO_POOL and its timeouts");
        return ERR_CONFIG;
    }
    put_guarantees(uri, options->socket_timeout_ms);
    *ret_uri = uri;
    return ERR_OK;
}
