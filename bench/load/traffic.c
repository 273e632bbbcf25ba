#include "traffic.h"

#define MAX_WEIGHT 1000000

static const char *const route_names[ROUTE_COUNT] = {
    [ROUTE_GET] = "get",         [ROUTE_VERIFY] = "verify", [ROUTE_PROFILE] = "profile",
    [ROUTE_REFRESH] = "refresh", [ROUTE_LOGIN] = "login",   [ROUTE_REGISTER] = "register",
};
static const char *const outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_OK] = "ok",         [OUTCOME_SHED] = "shed",       [OUTCOME_4XX] = "4xx",
    [OUTCOME_5XX] = "5xx",       [OUTCOME_TIMEOUT] = "timeout", [OUTCOME_BROKEN] = "broken",
    [OUTCOME_UNSENT] = "unsent",
};

const char *route_name(enum route r)
{
    return route_names[r];
}

bool route_find(struct span name, enum route *ret_route)
{
    for (int i = 0; i < ROUTE_COUNT; i++) {
        if (span_equal(name, span_of(route_names[i]))) {
            *ret_route = (enum route)i;
            return true;
        }
    }
    return false;
}

const char *outcome_name(enum outcome o)
{
    return outcome_names[o];
}

enum outcome outcome_of_status(int status, bool has_retry_after)
{
    if (status == 503 && has_retry_after) {
        return OUTCOME_SHED;
    }
    if (status >= 500) {
        return OUTCOME_5XX;
    }
    return status >= 400 ? OUTCOME_4XX : OUTCOME_OK;
}

bool outcome_is_error(enum route r, enum outcome o)
{
    if (o == OUTCOME_SHED) {
        return r != ROUTE_LOGIN && r != ROUTE_REGISTER;
    }
    return o != OUTCOME_OK;
}

bool outcome_is_timed(enum outcome o)
{
    return o == OUTCOME_OK || o == OUTCOME_TIMEOUT || o == OUTCOME_UNSENT;
}

static enum err parse_weight(struct span piece, struct mix *m)
{
    size_t equals = span_find(piece, '=');
    enum route route = ROUTE_GET;
    uint64_t weight = 0;
    if (equals == piece.length || !route_find(span_slice(piece, 0, equals), &route) ||
        !span_to_u64(span_from(piece, equals + 1), MAX_WEIGHT, &weight) || m->weight[route] != 0) {
        return ERR_CONFIG;
    }
    m->weight[route] = weight;
    m->total += weight;
    return ERR_OK;
}

enum err mix_parse(struct span text, struct mix *ret_mix, struct span *ret_bad)
{
    struct mix mix = { 0 };
    struct span rest = text;
    struct span piece = SPAN_NONE;
    while (span_split(&rest, ',', &piece)) {
        if (parse_weight(piece, &mix) != ERR_OK) {
            *ret_bad = piece;
            return ERR_CONFIG;
        }
    }
    if (mix.total == 0) {
        *ret_bad = text;
        return ERR_CONFIG;
    }
    *ret_mix = mix;
    return ERR_OK;
}

enum route mix_pick(const struct mix *m, uint64_t number)
{
    INVARIANT(number < m->total);
    int route = 0;
    while (number >= m->weight[route]) {
        number -= m->weight[route];
        route++;
    }
    return (enum route)route;
}
