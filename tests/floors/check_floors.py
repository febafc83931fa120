#!/usr/bin/env python3
"""Checks the house: check_floors.py ROOT prints one line per violation and exits 1 when there is one.

- every module (folder of src/) has a floor, and uses only modules on lower floors;
- every #include "bm/X.h" in a module or its header is an edge that its CMakeLists.txt states, and every edge
  stated is used, directly or through a header;
- other quoted includes stay inside the module's folder: private headers are private;
- only cli prints or exits.
"""

import re
import sys
from pathlib import Path

FLOORS = {
    "base": 0,
    "stats": 1, "data": 1,
    "topology": 2, "opencl": 2,
    "workload": 3,
    "model": 4, "backend": 4,
    "device": 5,
    "measure": 6,
    "run": 7, "tune": 7, "compare": 7, "estimate": 7,
    "ab": 8,
    "export": 9,
    "cli": 10,
}
# Headers in include/bm/ that are not named after their module.
HEADER_OF = {"results": "data", "saved": "data", "gate": "compare", "control": "measure", "tuned": "data", "merge": "data", "flow": "workload"}
MAY_PRINT_AND_EXIT = {"cli"}

COMMENT_OR_LITERAL = re.compile(r"""//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.M)
PRINT_OR_EXIT = re.compile(
    r"(?<![\w.])(?<!->)(?:(?:v?printf|puts|putchar|perror|exit|_exit|_Exit|quick_exit|abort)(?=\s*\()|stdout\b|stderr\b"
    r"|STDOUT_FILENO\b|STDERR_FILENO\b)")


def blank(text, keep_literals):
    """text without comments (and literals), its line breaks kept."""
    def replace(match):
        token = match.group()
        if keep_literals and token[0] != "/":
            return token
        return " " + "\n" * token.count("\n")
    return COMMENT_OR_LITERAL.sub(replace, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def cmake_calls(text):
    """(function, words) of every call; comments removed, quotes dropped."""
    text = re.sub(r"#[^\n]*", "", text)
    for match in re.finditer(r"\b(\w+)\s*\(((?:[^()]|\([^()]*\))*)\)", text):
        yield match.group(1).lower(), match.group(2).replace('"', " ").split()


def stated_edges(name, text):
    """The modules that src/NAME/CMakeLists.txt says it uses: USES of bm_module, and bm_X in target_link_libraries."""
    edges, keyword, names = set(), None, []
    for function, words in cmake_calls(text):
        if function == "bm_module" and words:
            names.append(words[0])
            keyword = None
            for word in words[1:]:
                if word in ("SOURCES", "USES", "LINKS"):
                    keyword = word
                elif keyword == "USES":
                    edges.add(word)
        elif function == "target_link_libraries":
            edges.update(word[3:] for word in words[1:] if word.startswith("bm_") and word[3:] in FLOORS)
    return names, edges - {name}


def module_of(header):
    stem = header[len("bm/"):].removesuffix(".h")
    stem = HEADER_OF.get(stem, stem)
    return stem if stem in FLOORS else None


def check(root):
    root = Path(root)
    problems = []
    modules = sorted(path.parent.name for path in root.glob("src/*/CMakeLists.txt"))
    headers = {}
    for path in sorted(root.glob("include/bm/*.h")):
        owner = module_of(f"bm/{path.name}")
        if owner is None:
            problems.append(f"include/bm/{path.name}: belongs to no module; name it after one, or add it to HEADER_OF")
        else:
            headers.setdefault(owner, []).append(path)
    for path in sorted(p for p in root.glob("include/bm/*") if p.suffix != ".h"):
        problems.append(f"include/bm/{path.name}: only headers belong here")

    for name in modules:
        place = f"src/{name}/CMakeLists.txt"
        names, edges = stated_edges(name, (root / place).read_text())
        if name not in FLOORS:
            problems.append(f"{place}: module {name} has no floor; add it to FLOORS in tests/floors/check_floors.py")
            continue
        for other in names:
            if other != name:
                problems.append(f"{place}: bm_module({other}) in the folder of {name}")
        for edge in sorted(edges):
            if edge not in FLOORS:
                problems.append(f"{place}: uses {edge}, which is no module")
            elif FLOORS[edge] >= FLOORS[name]:
                problems.append(f"{place}: {name} (floor {FLOORS[name]}) uses {edge} (floor {FLOORS[edge]}): not a lower floor")
        included = reachable(check_sources(root, name, edges, headers.get(name, []), problems), headers)
        for edge in sorted(edges & FLOORS.keys() - included):
            problems.append(f"{place}: USES {edge}, but nothing in {name} includes it, not even through another header")
    if not modules:
        problems.append(f"{root}: no src/*/CMakeLists.txt: nothing was checked")
    return problems


def reachable(modules, headers):
    """modules, and those whose headers come in through theirs."""
    found, left = set(), list(modules)
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            for path in headers.get(module, []):
                includes = (match.group(2) for match in INCLUDE.finditer(blank(path.read_text(), keep_literals=True)))
                left += filter(None, (module_of(target) for target in includes if target.startswith("bm/")))
    return found


def check_sources(root, name, edges, headers, problems):
    """Includes and printing of one module; returns the modules that it includes."""
    folder = root / "src" / name
    included = set()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".c", ".h", ".in")) + headers:
        text = path.read_text()
        place = path.relative_to(root)
        code = blank(text, keep_literals=True)
        for match in INCLUDE.finditer(code):
            where = f"{place}:{line_of(code, match.start())}"
            quote, target = match.groups()
            if target.startswith("bm/"):
                owner = module_of(target)
                if not (root / "include" / target).is_file() or owner is None:
                    problems.append(f"{where}: {target} is no module's header")
                elif owner != name:
                    included.add(owner)
                    if owner not in edges:
                        problems.append(f"{where}: {name} includes {target}, but its CMakeLists.txt does not say USES {owner}")
            elif quote == '"' and path in headers:
                problems.append(f'{where}: a public header includes "{target}", which only its own folder sees')
            elif quote == '"' and not is_private(folder, path, target):
                problems.append(f'{where}: "{target}" is not in src/{name}: private headers stay in their module')
        if name not in MAY_PRINT_AND_EXIT:
            bare = blank(text, keep_literals=False)
            for match in PRINT_OR_EXIT.finditer(bare):
                problems.append(f"{place}:{line_of(bare, match.start())}: {match.group()}: only cli prints or exits")
    return included


def is_private(folder, path, target):
    """Whether a quoted include names a file of this module, or one that its CMakeLists.txt makes."""
    for base in (path.parent, folder):
        candidate = (base / target).resolve()
        if candidate.is_file() and candidate.is_relative_to(folder.resolve()):
            return True
    made = re.sub(r"#[^\n]*", "", (folder / "CMakeLists.txt").read_text())
    return "/" not in target and re.search(rf"(?<![\w.-]){re.escape(target)}(?![\w.-])", made) is not None


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: check_floors.py ROOT")
    found = check(sys.argv[1])
    print("\n".join(found) if found else "every include, edge and floor is in order")
    sys.exit(1 if found else 0)
