"""./run and ./test on invented machines: every tool they call is a stub that writes down how it was called."""

import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
# What the scripts may use besides the tools that they look for.
COMMON = "sh cat dirname env flock grep head id mkdir nproc printf readlink rm sed seq sleep tail".split()
STUBS = {
    # Knows the packages in $STATE/dpkg.
    "dpkg-query": 'while read -r p; do echo "$p installed"; done <"$STATE/dpkg"',
    # Fails while $STATE/offline exists, or for want of lists while $STATE/lists does not.
    "apt-get": """echo "apt-get $*" >>"$STATE/calls"
case "$*" in
*update*) [ -e "$STATE/offline" ] && echo "W: Failed to fetch http://x/InRelease  Could not resolve 'x'" || : >"$STATE/lists" ;;
*) [ -e "$STATE/lists" ] || { echo "E: Unable to locate package cmake"; exit 100; } ;;
esac""",
    "sudo": '[ -e "$STATE/sudo" ] || exit 1; shift; [ "$1" = true ] || echo "sudo $1" >>"$STATE/calls"; "$@"',
    "id": 'case $1 in -u) cat "$STATE/uid" ;; *) echo somebody ;; esac',
    "pkg-config": "exit 1",
    "cmake": """echo "cmake $*" >>"$STATE/calls"
f=build/$2; mkdir -p "$f/bin"; : >"$f/build.ninja"
echo "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" >"$f/CMakeCache.txt" """,
    "ninja": """echo "ninja ${2##*/}${3:+ $3}" >>"$STATE/calls"
[ -e "$STATE/broken" ] && { echo "x.c:1:1: error: broken"; exit 1; }
printf '#!/bin/sh\\npwd; for a; do echo "[$a]"; done; exit 5\\n' >"$2/bin/benchmark"; chmod +x "$2/bin/benchmark" """,
    "chmod": None,  # of the ninja stub
    "ctest": """echo "ctest $*" >>"$STATE/calls"
[ -e "$STATE/silent" ] && exit 8
while [ $# -gt 0 ]; do [ "$1" = --output-junit ] && file=$2; shift; done
[ -z "${file:-}" ] || printf '<testsuite name="x"\\n\\ttests="5"\\n\\tfailures="%s"\\n\\tdisabled="0"\\n\\tskipped="1"\\n' \
"$(cat "$STATE/failures")" >"$file"
[ "$(cat "$STATE/failures")" = 0 ]""",
}


class Machine:
    """A copy of the scripts, with a PATH of stubs beside it."""

    def __init__(self, folder):
        self.root, self.state, self.bin = folder / "a tree", folder / "state", folder / "bin"
        (self.root / "cmake").mkdir(parents=True)
        for name in ("run", "test", "cmake/prepare.sh", "cmake/packages.list"):
            shutil.copy(SOURCE / name, self.root / name)
        self.state.mkdir()
        self.bin.mkdir()
        for name in COMMON:
            (self.bin / name).symlink_to(shutil.which(name))
        for name, script in STUBS.items():
            self.stub(name, script)
        rows = [line.split() for line in (SOURCE / "cmake/packages.list").read_text().splitlines()]
        self.packages = [row[1] for row in rows if row and row[0] in ("run", "more", "test")]
        self.installed(self.packages)
        self.write("uid", "0")
        self.write("failures", "0")
        self.write("lists", "")

    def stub(self, name, script):
        path = self.bin / name
        path.unlink(missing_ok=True)
        if script is None:
            path.symlink_to(shutil.which(name))
        else:
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    def write(self, name, text):
        (self.state / name).write_text(text)

    def installed(self, packages):
        self.write("dpkg", "".join(p + "\n" for p in packages))

    def without(self, *packages):
        self.installed([p for p in self.packages if p not in packages])

    def lacks_optional(self):
        """Without libdnnl-dev, whatever this machine has."""
        path = self.root / "cmake/packages.list"
        path.write_text(path.read_text().replace("file:/usr/include/oneapi/dnnl/dnnl.h", "file:/nowhere/dnnl.h"))
        self.without("libdnnl-dev")

    def go(self, script, *options):
        (self.state / "calls").write_text("")
        done = subprocess.run([self.root / script, *options], cwd=self.state, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60,
                              env={"PATH": str(self.bin), "STATE": str(self.state)})
        self.calls = (self.state / "calls").read_text().splitlines()
        return done

    def apt(self):
        return [c[c.index(verb):] for c in self.calls for verb in ("install", "update")
                if c.startswith("apt-get") and f" {verb}" in c]


class Prepare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.machine = Machine(Path(folder.name).resolve())

    def test_all_there(self):
        done = self.machine.go("run", "--suite", "quick", "a  b", "*", "")
        self.assertEqual(done.stdout.splitlines(),
                         [str(self.machine.state), "[run]", "[--suite]", "[quick]", "[a  b]", "[*]", "[]"])
        self.assertEqual(done.returncode, 5)  # the program's own
        self.assertEqual(self.machine.calls, ["cmake --preset release", "ninja release"])

    def test_second_time_is_quiet(self):
        self.machine.go("run")
        done = self.machine.go("run")
        self.assertEqual(self.machine.calls, ["ninja release"])  # which has nothing to do
        self.assertEqual(done.stderr, "")

    def test_changed_presets_are_configured(self):
        self.machine.go("run")
        presets = self.machine.root / "CMakePresets.json"
        presets.write_text("{}")
        os.utime(presets, (time.time() + 60,) * 2)
        self.machine.go("run")
        self.assertEqual(self.machine.calls, ["cmake --preset release", "ninja release"])

    def test_long_build_is_announced(self):
        self.machine.go("run")
        self.machine.stub("ninja", "sleep 2\n" + STUBS["ninja"])
        self.assertRegex(self.machine.go("run").stderr, "^run: building release")

    def test_called_through_a_link(self):
        link = self.machine.state / "elsewhere"
        link.symlink_to(self.machine.root / "run")
        done = subprocess.run([link], cwd=self.machine.state, capture_output=True, timeout=60,
                              env={"PATH": str(self.machine.bin), "STATE": str(self.machine.state)})
        self.assertEqual(done.returncode, 5)

    def test_root_installs_what_is_missing(self):
        self.machine.without("ninja-build", "libjansson-dev")
        self.machine.stub("ninja", STUBS["ninja"])  # a sign of its own: not asked of apt
        done = self.machine.go("run")
        self.assertEqual(self.machine.apt(), ["install -y --no-install-recommends libjansson-dev"])
        self.assertEqual(done.returncode, 5)
        self.assertIn("installing libjansson-dev", done.stderr)

    def test_run_does_not_ask_for_test_packages(self):
        self.machine.without("libcriterion-dev")
        self.assertEqual(self.machine.go("run").returncode, 5)
        self.assertEqual(self.machine.apt(), [])
        self.machine.go("test")
        self.assertEqual(self.machine.apt(), ["install -y --no-install-recommends libcriterion-dev"])

    def test_what_it_can_do_without_is_offered_once(self):
        self.machine.lacks_optional()
        done = self.machine.go("run")
        self.assertEqual(self.machine.apt(), ["install -y --no-install-recommends libdnnl-dev"])
        self.assertEqual(done.returncode, 5)
        self.machine.go("run")
        self.assertEqual(self.machine.apt(), [], "not again once it is built")

    def test_it_goes_without_what_apt_cannot_get(self):
        self.machine.lacks_optional()
        (self.machine.state / "lists").unlink()
        self.machine.write("offline", "")
        done = self.machine.go("run")
        self.assertEqual(done.returncode, 5)
        self.assertRegex(done.stderr, "run: goes without libdnnl-dev, which apt-get could not install .log: .*offer.log")

    def test_it_goes_without_what_it_may_not_install(self):
        self.machine.lacks_optional()
        self.machine.write("uid", "1000")
        done = self.machine.go("run")
        self.assertEqual(done.returncode, 5)
        self.assertIn("run: goes without libdnnl-dev: ", done.stderr)
        self.assertEqual(self.machine.apt(), [])

    def test_lists_are_fetched_when_they_do_not_serve(self):
        (self.machine.state / "lists").unlink()
        self.machine.without("libjansson-dev")
        self.assertEqual(self.machine.go("run").returncode, 5)
        install = "install -y --no-install-recommends libjansson-dev"
        self.assertEqual(self.machine.apt(), [install, "update", install])

    def test_no_network_is_one_line(self):
        (self.machine.state / "lists").unlink()
        self.machine.write("offline", "")
        self.machine.without("libjansson-dev", "libhwloc-dev")
        done = self.machine.go("run")
        self.assertEqual(done.returncode, 2)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 2)  # "installing ..." and the reason
        self.assertIn("could not install libhwloc-dev libjansson-dev: W: Failed to fetch http://x", lines[1])
        self.assertIn("build/install.log", lines[1])
        self.assertEqual(done.stdout, "")

    def test_neither_root_nor_sudo(self):
        self.machine.write("uid", "1000")
        self.machine.without("libjansson-dev", "libhwloc-dev")
        done = self.machine.go("run")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr.splitlines()[-1],
                         "apt-get install -y --no-install-recommends libhwloc-dev libjansson-dev")
        self.assertEqual(self.machine.calls, [])

    def test_sudo_without_password(self):
        self.machine.write("uid", "1000")
        self.machine.write("sudo", "")
        self.machine.without("libjansson-dev")
        self.assertEqual(self.machine.go("run").returncode, 5)
        self.assertEqual(self.machine.calls[0], "sudo env")
        self.assertEqual(self.machine.apt(), ["install -y --no-install-recommends libjansson-dev"])

    def test_no_apt(self):
        (self.machine.bin / "apt-get").unlink()
        (self.machine.bin / "dpkg-query").unlink()
        done = self.machine.go("run")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "^run: missing, and there is no apt-get .* libjansson-dev")
        self.assertNotIn("cmake", done.stderr)  # its sign is there

    def test_broken_build(self):
        self.machine.write("broken", "")
        done = self.machine.go("run")
        self.assertEqual(done.returncode, 70)
        self.assertIn("error: broken", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_broken_build_later(self):
        self.machine.go("run")
        self.machine.stub("ninja", "echo 'FAILED: x.o'; echo 'x.c:1:1: error: broken'; seq 100; exit 1")
        done = self.machine.go("run")
        self.assertEqual(done.returncode, 70)
        lines = done.stderr.splitlines()
        self.assertEqual(lines[:2], ["FAILED: x.o", "x.c:1:1: error: broken"])
        self.assertEqual(len(lines), 41)

    def test_moved_tree_is_configured_afresh(self):
        self.machine.go("run")
        self.machine.root = self.machine.root.rename(self.machine.root.parent / "moved")
        self.machine.go("run")
        self.assertEqual(self.machine.calls[0], "cmake --preset release --fresh")

    def test_build_folder_of_another(self):
        (self.machine.root / "build").write_text("not a folder")
        done = self.machine.go("run")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("build cannot be written by somebody", done.stderr)

    def test_test_runs_both_presets_and_sums_up(self):
        done = self.machine.go("test")
        self.assertEqual(done.stdout.splitlines()[-1], "100% tests passed, 0 tests failed out of 8 (2 skipped)")
        self.assertEqual(done.returncode, 0)
        sanitized, ci = (c.split() for c in self.machine.calls if c.startswith("ctest"))
        self.assertEqual((sanitized[2], ci[2]), ("asan-ubsan", "ci"))
        self.assertEqual([c for c in self.machine.calls if c.startswith("ninja")], ["ninja ci", "ninja asan-ubsan unit-and-failure"])
        # what the second leaves out, the first has run
        self.assertEqual(sanitized[-4:], ["-L", "^(unit|failure)$", "-LE", "^house$"])
        self.assertEqual(ci[-2:], ["-LE", "^failure$"])

    def test_test_fails_when_a_test_fails(self):
        self.machine.write("failures", "1")
        done = self.machine.go("test")
        self.assertEqual(done.stdout.splitlines()[-1], "75% tests passed, 2 tests failed out of 8 (2 skipped)")
        self.assertNotEqual(done.returncode, 0)

    def test_test_without_a_report_is_no_success(self):
        self.machine.write("silent", "")
        self.assertEqual(self.machine.go("test").returncode, 8)

    def test_test_hands_options_to_ctest(self):
        done = self.machine.go("test", "-R", "a b")
        self.assertEqual(done.returncode, 0)
        self.assertRegex("\n".join(c for c in self.machine.calls if c.startswith("ctest")),
                         r"^ctest --preset ci -j [0-9]+ -R a b$")


if __name__ == "__main__":
    unittest.main()
