#include "import.h"
#include <stdlib.h>
#include <string.h>

void import_refuse(struct auth_import_result *result, const char *field, const char *code,
                   const char *detail)
{
    result->outcome = AUTH_IMPORT_REFUSED;
    result->why = (struct auth_input_error){ .field = field, .code = code, .detail = detail };
}

bool import_is_open(const struct auth_import_result *result)
{
    return result->outcome == AUTH_IMPORT_ADDED;
}

static int by_id(const void *a, const void *b)
{
    const struct store_user *left = a;
    const struct store_user *right = b;
    return memcmp(left->id.bytes, right->id.bytes, UUID_BYTES);
}

enum err import_look_up(const struct import_run *run, struct import_people *p)
{
    TRY(store_users_find(run->au->options.store, p->ids, p->id_count, run->arena, &p->users,
                         &p->count));
    if (p->count > 0) {
        qsort(p->users, p->count, sizeof(p->users[0]), by_id);
    }
    return ERR_OK;
}

const struct store_user *import_find_person(const struct import_people *p, struct uuid id)
{
    const struct store_user key = { .id = id };
    return p->count > 0 ? bsearch(&key, p->users, p->count, sizeof(key), by_id) : NULL;
}
