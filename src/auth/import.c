/* Records on their way into the store, and those of them that are keys. */
#include "import.h"
#include "keyring.h"

/* ---- keys ---- */

/* One that is not what the master key wrapped under this kid, or not of its algorithm, would keep
 * the service from starting. */
static enum err check_key(const struct import_run *run, const struct store_key *k,
                          struct auth_import_result *result)
{
    const struct tokens *tokens = run->au->options.tokens;
    const struct token_key key = {
        .kid = k->kid, .algorithm = k->algorithm, .wrapped = k->wrapped_private, .signs = true
    };
    enum err e = token_witness_check(tokens, &key);
    if (e == ERR_CONFIG) {
        import_refuse(result, "wrapped_private", "unknown_master_key",
                      "does not open with any MASTER_KEY here");
        return ERR_OK;
    }
    if (e == ERR_OK && !keyring_is_witness(k)) {
        e = token_key_check(tokens, &key);
    }
    if (e == ERR_CONFIG) {
        import_refuse(result, "algorithm", "invalid_format", "is not what the key was made for");
    } else if (k->generation < 1) {
        import_refuse(result, "generation", "invalid_format", "begins with 1");
    }
    return e == ERR_CONFIG ? ERR_OK : e;
}

static enum err judge_key(const struct import_run *run, const struct store_key *k,
                          struct auth_import_result *result)
{
    struct store_key *keys = NULL;
    size_t count = 0;
    TRY(store_key_list(run->au->options.store, run->arena, &keys, &count));
    for (size_t i = 0; i < count; i++) {
        if (span_equal(keys[i].kid, k->kid)) {
            result->outcome = AUTH_IMPORT_THERE;
            return ERR_OK;
        }
    }
    import_refuse(
        result, "generation", "key_exists",
        "another key has this number: keys go into a store that no service has started on");
    return ERR_OK;
}

static enum err import_keys(const struct import_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        const struct store_key *k = run->records[i].key;
        TRY(check_key(run, k, &run->results[i]));
        if (run->dry_run || !import_is_open(&run->results[i])) {
            continue;
        }
        enum err e = store_key_add(run->au->options.store, k);
        e = e == ERR_CONFLICT ? judge_key(run, k, &run->results[i]) : e;
        TRY(e);
    }
    return ERR_OK;
}

/* ---- all of them ---- */

static enum err import_one_type(const struct import_run *run)
{
    switch (run->records[0].type) {
    case AUTH_RECORD_KEY:
        return import_keys(run);
    case AUTH_RECORD_USER:
        return import_users(run);
    case AUTH_RECORD_SESSION:
        return import_sessions(run);
    case AUTH_RECORD_REVOCATION:
        return import_revocations(run);
    }
    return ERR_INTERNAL;
}

enum err auth_import(struct auth *au, struct auth_call *call, const struct auth_record *records,
                     size_t count, bool dry_run, struct auth_import_result *ret_results)
{
    INVARIANT(count <= AUTH_MAX_IMPORT);
    for (size_t i = 0; i < count; i++) {
        ret_results[i] = (struct auth_import_result){ .outcome = AUTH_IMPORT_ADDED };
    }
    for (size_t i = 0, end = 0; i < count; i = end) {
        while (end < count && records[end].type == records[i].type) {
            end++;
        }
        const struct import_run run = { .au = au,
                                        .call = call,
                                        .arena = call->arena,
                                        .records = records + i,
                                        .count = end - i,
                                        .dry_run = dry_run,
                                        .results = ret_results + i };
        TRY(import_one_type(&run));
    }
    return ERR_OK;
}
