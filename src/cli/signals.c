#include "cli.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t received, deferred;

static void on_signal(int number) {
    if (received != 0 || deferred == 0)
        _exit(128 + number);
    received = number;
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
