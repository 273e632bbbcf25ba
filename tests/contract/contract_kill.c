/* contract_kill.c - what was acknowledged is there, whenever the process was killed.
 *
 * A child writes with several threads and says each acknowledged number through a pipe; it is
 * killed with SIGKILL at a moment that differs from round to round, and what it said is looked up.
 */
#include "contract.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS          20
#define CHILD_THREADS   4
#define NUMBERS_A_ROUND 1000000
#define FIRST_WRITE_MS  20000

struct child {
    struct store *store;
    uint64_t first;
    int pipe;
};

/* Adds a session, rotates it and adds a user: three acknowledged writes behind each number. */
static enum err write_number(struct store *s, uint64_t number)
{
    struct store_session session = contract_session(number, contract_id(number));
    struct store_rotation rotation = { .id = session.id,
                                       .master_key = session.master_key,
                                       .idle_ttl_ms = 1000 };
    struct store_user user = { .id = session.id, .password_hash = SPAN("x"), .roles = SPAN("") };
    struct store_rotated rotated = { 0 };
    CONTRACT_ARENA(a);
    TRY(store_session_add(s, &session, 10, NULL));
    TRY(store_session_rotate(s, &rotation, &a, &rotated));
    return store_user_add(s, &user);
}

static void write_and_tell(void *argument, size_t index)
{
    struct child *c = argument;
    for (uint64_t i = c->first + index;; i += CHILD_THREADS) {
        if (write_number(c->store, i) != ERR_OK || write(c->pipe, &i, sizeof(i)) != sizeof(i)) {
            _exit(3);
        }
    }
}

static void run_child(uint64_t first, int pipe)
{
    struct child child = { .store = contract_open_again(), .first = first, .pipe = pipe };
    contract_race(CHILD_THREADS, write_and_tell, &child);
}

static void check_there(struct store *s, uint64_t number)
{
    CONTRACT_ARENA(a);
    struct store_session session = { 0 };
    struct store_user user = { 0 };
    CHECK_ERR(store_session_get(s, contract_id(number), &a, &session), ERR_OK);
    CHECK_INT(session.counter, 1);
    CHECK_ERR(store_user_by_id(s, contract_id(number), &a, &user), ERR_OK);
}

/* All that the dead child said. */
static size_t check_acknowledged(struct store *s, int pipe)
{
    size_t count = 0;
    uint64_t number = 0;
    while (read(pipe, &number, sizeof(number)) == sizeof(number)) {
        check_there(s, number);
        count++;
    }
    return count;
}

static size_t kill_one(int round)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        run_child((uint64_t)(round + 1) * NUMBERS_A_ROUND, ends[1]);
        _exit(4);
    }
    (void)close(ends[1]);
    /* Every other one is killed wherever it is, the rest while it writes. */
    struct pollfd first = { .fd = ends[0], .events = POLLIN };
    if (round % 2 == 0) {
        (void)poll(&first, 1, FIRST_WRITE_MS);
    }
    /* Not a wait for something to happen: the moment of the kill is what is varied. */
    int slowness = contract_clock_runs() ? 8 : 1; /* of a server */
    struct timespec moment = { .tv_nsec = (3 + round * 7 % 67) * slowness * 1000000L };
    (void)nanosleep(&moment, NULL);
    (void)kill(pid, SIGKILL);
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct store *s = contract_open_again();
    size_t count = check_acknowledged(s, ends[0]);
    CHECK_ERR(store_heartbeat(s), ERR_OK);
    store_close(s);
    (void)close(ends[0]);
    return count;
}

TEST(what_was_acknowledged_survives_a_kill_at_any_moment)
{
    store_close(contract_open_empty());
    size_t acknowledged = 0;
    for (int round = 0; round < ROUNDS; round++) {
        acknowledged += kill_one(round);
    }
    CHECK(acknowledged >= ROUNDS / 2); /* which were killed while they wrote */
}

CONTRACT_GROUP(contract_kill,
               cmocka_unit_test(what_was_acknowledged_survives_a_kill_at_any_moment));
