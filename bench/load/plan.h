/* plan.h - what the command line of `doorward-bench load` asks for, checked.
 *
 * Threads:   read by all once it is made.
 * Ownership: texts are those of the command line.
 * Failure:   said in one line with complain(); ERR_CONFIG.
 * Units:     nanoseconds. */
#ifndef DOORWARD_BENCH_PLAN_H
#define DOORWARD_BENCH_PLAN_H

#include "schedule.h"
#include "slo.h"
#include "target.h"
#include "traffic.h"

#define PLAN_MAX_THREADS     64
#define PLAN_MAX_CONNECTIONS 60000
#define PLAN_MAX_USERS       100000
#define PLAN_MAX_TOKENS      1000000
/* A service keeps so many sessions of a user (MAX_SESSIONS_PER_USER is 50): more would end ours. */
#define PLAN_SESSIONS_PER_USER 32

struct plan {
    struct target_options target;
    const char *rates; /* as given */
    const char *mix_text;
    struct schedule schedule;
    struct mix mix;
    const char *path; /* of ROUTE_GET */
    unsigned threads;
    unsigned connections;
    unsigned users;     /* made, or read from users_file */
    unsigned tokens;    /* sessions, or read from tokens_file */
    unsigned reconnect; /* requests a connection; 0: no end */
    bool resume;
    int64_t timeout_ns;
    const char *users_file;  /* NULL: users are registered */
    const char *tokens_file; /* NULL: sessions are opened */
    struct slo slo;
    const char *json_path; /* "-": stdout; NULL: none */
    const char *html_path;
    const char *hdr_path;
};

MUST_CHECK enum err plan_parse(int argc, char **argv, struct plan *ret_plan);
unsigned plan_default_threads(void); /* one a CPU */
bool plan_path_is_good(const char *path);
/* Are access tokens of our own sessions needed? */
bool plan_opens_sessions(const struct plan *p);

#endif
