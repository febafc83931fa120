"""Plants violations in a small tree and expects check_floors.py to name each."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECK = Path(__file__).with_name("check_floors.py")
SOUND = {
    "include/bm/base.h": "#include <stdio.h>\n",
    "include/bm/stats.h": '#include "bm/base.h"\n',
    "include/bm/data.h": '#include "bm/base.h"\n',
    "include/bm/results.h": '#include "bm/data.h"\n',
    "include/bm/run.h": '#include "bm/base.h"\n',
    "src/base/CMakeLists.txt": "bm_module(base SOURCES base.c)\n",
    "src/base/base.c": '#include "bm/base.h"\n#include "internal.h"\n/* printf("x"); exit(1); */ // stdout\n'
                       'static const char text[] = "printf(\\"\\")"; int printf_count; void bm_run_exit(void);\n'
                       "void f(struct s *s) { snprintf(a, 1, text); s->exit(1); fprintf(file, text); }\n",
    "src/base/internal.h": "int internal;\n",
    "src/stats/CMakeLists.txt": "bm_module(stats SOURCES s.c USES base LINKS m)\n",
    "src/stats/s.c": '#include "bm/stats.h"\n',
    "src/data/CMakeLists.txt": "bm_module(data SOURCES\n  d.c # uses run? no\n  sub/e.c\n  USES base)\nset(MADE ${CMAKE_CURRENT_BINARY_DIR}/made.h)\n",
    "src/data/d.c": '#include "bm/data.h"\n#include "bm/results.h"\n#include "made.h"\n',
    "src/data/sub/e.c": '#include "../d.h"\n#include "made.h"\n#include "own.h"\n',
    "src/data/d.h": "",
    "src/data/sub/own.h": "",
    "src/run/CMakeLists.txt": "bm_module(run SOURCES r.c USES data base)\n",
    "src/run/r.c": '#include "bm/run.h"\n#include "bm/results.h"\n',
    "src/cli/CMakeLists.txt": "add_executable(benchmark main.c)\ntarget_link_libraries(benchmark PRIVATE bm_settings bm_run)\n",
    "src/cli/main.c": '#include "bm/run.h"\nint main(void) { printf("x"); exit(0); }\n',
}


class Floors(unittest.TestCase):
    def found(self, **changes):
        """The output of the check of the sound tree with some files replaced, extended or (None) removed."""
        files = dict(SOUND)
        for path, text in changes.get("replace", {}).items():
            files[path] = text
        for path, text in changes.get("append", {}).items():
            files[path] = files[path] + text
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                (Path(root) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(root) / path).write_text(text)
            done = subprocess.run([sys.executable, "-B", CHECK, root], text=True, capture_output=True)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout.splitlines()

    def expect(self, *lines, **changes):
        code, found = self.found(**changes)
        self.assertEqual(code, 1)
        self.assertEqual(len(found), len(lines), found)
        for got, wanted in zip(found, lines):
            self.assertIn(wanted, got)

    def test_sound_tree(self):
        self.assertEqual(self.found(), (0, ["every include, edge and floor is in order"]))

    def test_undeclared_include(self):
        self.expect('src/run/r.c:3: run includes bm/stats.h, but its CMakeLists.txt does not say USES stats',
                    append={"src/run/r.c": '  #  include "bm/stats.h"\n'})

    def test_undeclared_include_with_angles(self):
        self.expect("src/run/r.c:3: run includes bm/stats.h", append={"src/run/r.c": "#include <bm/stats.h>\n"})

    def test_undeclared_include_in_a_public_header(self):
        self.expect("include/bm/run.h:2: run includes bm/stats.h", append={"include/bm/run.h": '#include "bm/stats.h"\n'})

    def test_undeclared_include_in_a_subfolder(self):
        self.expect("src/data/sub/e.c:4: data includes bm/stats.h", append={"src/data/sub/e.c": '#include "bm/stats.h"\n'})

    def test_results_belongs_to_data(self):
        self.expect("src/stats/s.c:2: stats includes bm/results.h, but its CMakeLists.txt does not say USES data",
                    append={"src/stats/s.c": '#include "bm/results.h"\n'})

    def test_upward_edge(self):
        self.expect("src/data/CMakeLists.txt: data (floor 1) uses run (floor 7): not a lower floor",
                    replace={"src/data/CMakeLists.txt": SOUND["src/data/CMakeLists.txt"].replace("USES base", "USES base run")},
                    append={"src/data/d.c": '#include "bm/run.h"\n'})

    def test_edge_between_floor_mates(self):
        self.expect("src/data/CMakeLists.txt: data (floor 1) uses stats (floor 1): not a lower floor",
                    replace={"src/data/CMakeLists.txt": SOUND["src/data/CMakeLists.txt"].replace("USES base", "USES base stats")},
                    append={"src/data/d.c": '#include "bm/stats.h"\n'})

    def test_upward_edge_by_target_link_libraries(self):
        self.expect("src/stats/CMakeLists.txt: stats (floor 1) uses run (floor 7): not a lower floor",
                    append={"src/stats/CMakeLists.txt": "target_link_libraries(bm_stats PRIVATE bm_run)\n",
                            "src/stats/s.c": '#include "bm/run.h"\n'})

    def test_edge_used_through_a_header(self):
        code, found = self.found(replace={"src/cli/CMakeLists.txt": "bm_module(cli SOURCES main.c USES run base)"})
        self.assertEqual((code, found), (0, ["every include, edge and floor is in order"]))  # base: through run.h

    def test_unused_edge(self):
        self.expect("src/run/CMakeLists.txt: USES stats, but nothing in run includes it",
                    replace={"src/run/CMakeLists.txt": "bm_module(run SOURCES r.c USES data base stats)"})

    def test_edge_to_no_module(self):
        self.expect("src/run/CMakeLists.txt: uses basement, which is no module",
                    replace={"src/run/CMakeLists.txt": "bm_module(run SOURCES r.c USES data base basement)"})

    def test_module_without_a_floor(self):
        self.expect("src/attic/CMakeLists.txt: module attic has no floor",
                    replace={"src/attic/CMakeLists.txt": "bm_module(attic SOURCES a.c)"})

    def test_module_in_the_wrong_folder(self):
        self.expect("src/stats/CMakeLists.txt: bm_module(data) in the folder of stats",
                    replace={"src/stats/CMakeLists.txt": "bm_module(data SOURCES s.c USES base)"})

    def test_private_header_of_another_module(self):
        self.expect('src/run/r.c:3: "../base/internal.h" is not in src/run',
                    append={"src/run/r.c": '#include "../base/internal.h"\n'})

    def test_private_header_by_name(self):
        self.expect('src/run/r.c:3: "internal.h" is not in src/run', append={"src/run/r.c": '#include "internal.h"\n'})

    def test_private_header_in_a_public_one(self):
        self.expect('include/bm/base.h:2: a public header includes "internal.h"',
                    append={"include/bm/base.h": '#include "internal.h"\n'})

    def test_header_of_no_module(self):
        self.expect("include/bm/attic.h: belongs to no module", replace={"include/bm/attic.h": ""})

    def test_missing_public_header(self):
        self.expect("src/run/r.c:3: bm/ab.h is no module's header", append={"src/run/r.c": '#include "bm/ab.h"\n'})

    def test_code_in_include(self):
        self.expect("include/bm/stats.c: only headers belong here", replace={"include/bm/stats.c": ""})

    def test_printing_and_exiting(self):
        for call in ('printf("x")', "puts (x)", "putchar(1)", 'perror("x")', "exit(1)", "_exit(1)", "abort()", "vprintf(f, a)",
                     "fprintf(stderr, f)", "fputs(x, stdout)", "write(STDOUT_FILENO, x, 1)"):
            with self.subTest(call):
                code, found = self.found(append={"src/stats/s.c": f'\nconst char *s = "\\"/*";\nint f(void) {{ {call}; }}\n'})
                self.assertEqual(code, 1)
                self.assertEqual(len(found), 1, found)
                self.assertRegex(found[0], "^src/stats/s.c:4: .*: only cli prints or exits")

    def test_nothing_to_check(self):
        with tempfile.TemporaryDirectory() as root:
            done = subprocess.run([sys.executable, "-B", CHECK, root], text=True, capture_output=True)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
