#include "cli.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* timeout(1) and terminals signal a process and its group: one wish, told twice within microseconds. */
enum { ONE_WISH_NS = 250000000 };

static volatile sig_atomic_t received, deferred;
static _Atomic uint64_t first_ns;

static void on_signal(int number) {
    const uint64_t now = bm_clock_now(&bm_clock_monotonic); /* clock_gettime: safe here */
    uint64_t first = 0;
    if (deferred == 0)
        _exit(128 + number);
    if (atomic_compare_exchange_strong(&first_ns, &first, now))
        received = number;
    else if (now > first && now - first > ONE_WISH_NS)
        _exit(128 + number);
}

void signals_install(void) {
    /* No SA_RESTART: a blocked read or sleep should return. */
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

void signals_defer(void) {
    deferred = 1;
}

bool signals_stop_requested(void *context) {
    (void)context;
    return received != 0;
}

enum exit_code signals_exit_code(void) {
    return (enum exit_code)(128 + (received != 0 ? received : SIGINT));
}
