#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct member {
    struct bm_team *team;
    unsigned index;
    struct bm_place place;
    pthread_t thread;
};

struct bm_team {
    struct member *members;
    unsigned count;
    pthread_mutex_t mutex;
    pthread_cond_t work_there, work_done;
    uint64_t job; /* number of the job; guarded by the mutex, as all that describes it */
    bool closing;
    unsigned first, wanted, left;
    bm_team_work *work;
    void *context;
    atomic_uint ready, ended;
    atomic_bool begun;
    uint64_t start_ns, end_ns;
};

/* Threads that are ready watch for the last one: sleeping would make them begin late. Where threads share a
 * processor the one that is missing must get it. */
static void wait_for_others(struct bm_team *team) {
    enum { PATIENCE = 1 << 14 };
    if (atomic_fetch_add(&team->ready, 1) + 1 == team->wanted) {
        team->start_ns = bm_clock_now(&bm_clock_monotonic);
        atomic_store_explicit(&team->begun, true, memory_order_release);
    }
    for (unsigned turn = 0; !atomic_load_explicit(&team->begun, memory_order_acquire); turn++)
        if (turn % PATIENCE == PATIENCE - 1)
            sched_yield();
}

static void do_job(struct member *member) {
    struct bm_team *team = member->team;
    wait_for_others(team);
    team->work(team->context, member->index - team->first, team->wanted);
    if (atomic_fetch_add(&team->ended, 1) + 1 == team->wanted)
        team->end_ns = bm_clock_now(&bm_clock_monotonic);
}

static void *live(void *context) {
    struct member *member = context;
    struct bm_team *team = member->team;
    struct bm_error refused = {0};
    uint64_t done = 0;
    if (bm_place_bind(&member->place, &refused) != BM_OK)
        bm_log(BM_LOG_INFO, "a thread is not bound to its place: %s", refused.message);
    pthread_mutex_lock(&team->mutex);
    while (!team->closing) {
        if (team->job == done) {
            pthread_cond_wait(&team->work_there, &team->mutex);
            continue;
        }
        done = team->job;
        if (member->index < team->first || member->index - team->first >= team->wanted)
            continue;
        pthread_mutex_unlock(&team->mutex);
        do_job(member);
        pthread_mutex_lock(&team->mutex);
        if (--team->left == 0)
            pthread_cond_signal(&team->work_done);
    }
    pthread_mutex_unlock(&team->mutex);
    return NULL;
}

enum bm_status bm_team_create(const struct bm_places *places, struct bm_team **team_out,
                              struct bm_error *error) {
    *team_out = NULL;
    struct bm_team *team = bm_alloc(1, sizeof *team);
    struct member *members = bm_alloc(places->count, sizeof *members);
    if (team == NULL || members == NULL) {
        free(team);
        free(members);
        return bm_fail(error, BM_NO_MEMORY, "no memory for %u threads", places->count);
    }
    team->members = members;
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->work_there, NULL);
    pthread_cond_init(&team->work_done, NULL);
    for (unsigned i = 0; i < places->count; i++) {
        members[i] = (struct member){.team = team, .index = i, .place = places->items[i]};
        int code = pthread_create(&members[i].thread, NULL, live, &members[i]);
        if (code != 0) {
            bm_team_destroy(team);
            return bm_fail_native(error, BM_NO_MEMORY, code, "pthread_create", "cannot start %u threads: %s",
                                  places->count, strerror(code));
        }
        team->count++;
    }
    *team_out = team;
    return BM_OK;
}

void bm_team_destroy(struct bm_team *team) {
    if (team == NULL)
        return;
    pthread_mutex_lock(&team->mutex);
    team->closing = true;
    pthread_cond_broadcast(&team->work_there);
    pthread_mutex_unlock(&team->mutex);
    for (unsigned i = 0; i < team->count; i++)
        pthread_join(team->members[i].thread, NULL);
    pthread_cond_destroy(&team->work_done);
    pthread_cond_destroy(&team->work_there);
    pthread_mutex_destroy(&team->mutex);
    free(team->members);
    free(team);
}

void bm_team_run(struct bm_team *team, unsigned first, unsigned count, bm_team_work *work, void *context,
                 uint64_t *start_ns, uint64_t *ns) {
    pthread_mutex_lock(&team->mutex);
    team->first = first;
    team->wanted = team->left = count;
    team->work = work;
    team->context = context;
    atomic_store(&team->ready, 0);
    atomic_store(&team->ended, 0);
    atomic_store(&team->begun, false);
    team->job++;
    pthread_cond_broadcast(&team->work_there);
    while (team->left > 0)
        pthread_cond_wait(&team->work_done, &team->mutex);
    *start_ns = team->start_ns;
    *ns = team->end_ns - team->start_ns;
    pthread_mutex_unlock(&team->mutex);
}
