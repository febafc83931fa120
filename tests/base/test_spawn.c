/* Running other programs. */
#include <signal.h>
#include <unistd.h>

#include "../data/fixture.h"

TestSuite(spawn, .init = fixture_begin, .fini = fixture_end);

static char path[2][128];

static struct bm_spawn_end run(const char *const *words) {
    struct bm_error error = {0};
    struct bm_spawn_end end;
    snprintf(path[0], sizeof path[0], "%s/out", fixture_folder);
    snprintf(path[1], sizeof path[1], "%s/err", fixture_folder);
    const struct bm_spawn spawn = {.words = words, .output = path[0], .errors = path[1]};
    cr_assert_eq(bm_spawn_run(&spawn, &end, &error), BM_OK, "%s", error.message);
    return end;
}

static void expect_content(const char *file, const char *content) {
    char *data;
    size_t size;
    cr_assert_eq(bm_file_read(file, 1000, &data, &size, NULL), BM_OK);
    cr_expect_str_eq(data, content);
    free(data);
}

Test(spawn, output_and_exit_code) {
    const char *const words[] = {"sh", "-c", "echo out; echo err >&2; exit 3", NULL};
    struct bm_spawn_end end = run(words);
    cr_expect_eq(end.exit_code, 3);
    cr_expect_eq(end.signal, 0);
    cr_expect_not(end.timed_out || end.stopped);
    expect_content(path[0], "out\n");
    expect_content(path[1], "err\n");
}

Test(spawn, words_are_not_for_a_shell) {
    const char *const words[] = {"printf", "%s|", "a b", "$HOME", "*", "", NULL};
    cr_expect_eq(run(words).exit_code, 0);
    expect_content(path[0], "a b|$HOME|*||");
}

Test(spawn, no_standard_input) {
    const char *const words[] = {"cat", NULL};
    cr_expect_eq(run(words).exit_code, 0);
    expect_content(path[0], "");
}

Test(spawn, ended_by_a_signal) {
    const char *const words[] = {"sh", "-c", "kill -SEGV $$", NULL};
    struct bm_spawn_end end = run(words);
    cr_expect_eq(end.exit_code, -1);
    cr_expect_eq(end.signal, SIGSEGV);
}

Test(spawn, signals_that_we_handle_are_its_own) {
    const char *const words[] = {"sh", "-c", "kill -TERM $$; exit 0", NULL};
    signal(SIGTERM, SIG_IGN);
    cr_expect_eq(run(words).signal, SIGTERM);
}

Test(spawn, no_such_program) {
    const char *const words[] = {"no-such-program-anywhere", NULL};
    const struct bm_spawn spawn = {.words = words};
    struct bm_spawn_end end;
    struct bm_error error = {0};
    cr_expect_eq(bm_spawn_run(&spawn, &end, &error), BM_NOT_FOUND);
    cr_expect_not_null(strstr(error.message, "no-such-program-anywhere"));
}

Test(spawn, no_program) {
    char file[128];
    snprintf(file, sizeof file, "%s", fixture_write("text", "x", SIZE_MAX));
    const char *const words[] = {file, NULL};
    const struct bm_spawn spawn = {.words = words};
    struct bm_spawn_end end;
    cr_expect_eq(bm_spawn_run(&spawn, &end, NULL), BM_IO);
}

static bool stop(void *context) {
    return ++*(int *)context > 3;
}

/* With all that it started: the grandchild would write the file. */
Test(spawn, stopped) {
    char command[256], file[128];
    int asked = 0;
    struct bm_spawn_end end;
    snprintf(file, sizeof file, "%s/late", fixture_folder);
    snprintf(command, sizeof command, "(sleep 100; echo late > %s) & sleep 100", file);
    const char *const words[] = {"sh", "-c", command, NULL};
    const struct bm_spawn spawn = {.words = words, .stop_requested = stop, .context = &asked};
    cr_assert_eq(bm_spawn_run(&spawn, &end, NULL), BM_OK);
    cr_expect(end.stopped);
    cr_expect_eq(end.signal, SIGTERM);
    cr_expect_not(bm_file_exists(file));
}

Test(spawn, a_child_that_ignores_the_request_is_killed) {
    int asked = 0;
    struct bm_spawn_end end;
    const char *const words[] = {"sh", "-c", "trap '' TERM; while :; do sleep 1; done", NULL};
    const struct bm_spawn spawn = {.words = words, .stop_requested = stop, .context = &asked};
    cr_assert_eq(bm_spawn_run(&spawn, &end, NULL), BM_OK);
    cr_expect(end.stopped);
    cr_expect_eq(end.exit_code, -1);
}

Test(spawn, timed_out) {
    struct bm_spawn_end end;
    const char *const words[] = {"sleep", "100", NULL};
    const struct bm_spawn spawn = {.words = words, .timeout_s = 0.01};
    cr_assert_eq(bm_spawn_run(&spawn, &end, NULL), BM_OK);
    cr_expect(end.timed_out);
    cr_expect_not(end.stopped);
}
