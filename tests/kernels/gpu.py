"""Compiles the programs that the host would build for GPUs, although none is here: to PTX, which NVIDIA's assembler
takes, and to AMD's code. Fails where one does not compile, registers are spilled, an array lies in memory, a function
is called, a group has more local memory than there is, or a multiprocessor of NVIDIA's has no registers for a second
group, behind whose work the first could wait.

usage: gpu.py [--table] nvidia|amd GPU_BUILDS KERNELS      exit 77: no clang for it, no libclc, no ptxas

The compiler is clang with libclc's built-in functions, not a driver's own: figures of registers are near those, not
the same.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

REGISTERS = 65536  # NVIDIA: of a multiprocessor
# Of NVIDIA's multiprocessors warps, groups and bytes of shared memory, and those of them that each group costs (CUDA
# C++ Programming Guide, "Technical Specifications" and the notes on 8.x).
MULTIPROCESSORS = {"sm_75": (32, 16, 65536, 0), "sm_80": (64, 32, 167936, 1024), "sm_90": (64, 32, 233472, 1024)}
# Lists of gpu-builds, and the architectures that each is for: compiled for the first, assembled for all where
# registers decide, else for the first.
LISTS = {"nvidia": (("nvidia", ("sm_75", "sm_90")), ("nvidia-mma", ("sm_80", "sm_90"))),
         "amd": (("amd", ("gfx90a",)),)}
DEMANDING = ("gemm.cl", "gemm_matrix.cl", "gemv.cl", "attention_group.cl", "mla.cl", "scan.cl")
SHARED_MOST = {"nvidia": 49152, "amd": 65536}  # of one group, as OpenCL programs have it
TARGETS = {"nvidia": "nvptx64-nvidia-nvcl", "amd": "amdgcn-amd-amdhsa"}
LIBRARIES = {"nvidia": "nvptx64--nvidiacl.bc", "amd": "amdgcn--amdhsa.bc"}


def skip(reason):
    print(reason)
    sys.exit(77)


def find_tool(*names):
    return next((path for path in map(shutil.which, names) if path), None)


class Kernel:
    """Of one launch: its figures by name."""

    def __init__(self, name, **figures):
        self.name = name
        self.figures = figures


class Toolchain:
    def __init__(self, vendor, folder):
        self.vendor, self.folder = vendor, folder
        self.compiler = find_tool("clang", "clang-14") or skip("no clang: apt-get install clang")
        known = subprocess.run([self.compiler, "--print-targets"], capture_output=True, text=True, check=True).stdout
        target = TARGETS[vendor].split("-")[0]
        if not re.search(rf"\b{target}\b", known):
            skip(f"clang has no target {target}")
        libraries = [path for path in (f"{root}/clc/{LIBRARIES[vendor]}" for root in ("/usr/lib", "/usr/share"))
                     if os.path.exists(path)]
        self.library = libraries[0] if libraries else skip("no libclc: apt-get install libclc-14")
        self.assembler = find_tool("ptxas", "/usr/local/cuda/bin/ptxas")
        if vendor == "nvidia" and not self.assembler:
            skip("no ptxas: it comes with nvcc")
        self.headers = {}

    def options(self, architecture):
        """Clang's options but for the program's own."""
        words = ["-cl-std=CL1.2", "-target", TARGETS[self.vendor], "-cl-no-stdinc", "-nogpulib",
                 "-Xclang", "-cl-ext=+cl_khr_fp16,+cl_khr_fp64"]
        if self.vendor == "nvidia":
            words += ["-Xclang", "-target-cpu", "-Xclang", architecture, "-Xclang", "-target-feature", "-Xclang", "+ptx70",
                      "-D__NV_CL_C_VERSION=120"]
        else:
            words += [f"-mcpu={architecture}"]
        return words

    def prepare(self, architecture):
        """The declarations of all built-in functions, read once."""
        header = os.path.join(self.folder, f"{architecture}.pch")
        resources = subprocess.run([self.compiler, "-print-resource-dir"], capture_output=True, text=True,
                                   check=True).stdout.strip()
        subprocess.run([self.compiler, "-x", "cl-header", *self.options(architecture), "-Xclang", "-emit-pch", "-o", header,
                        os.path.join(resources, "include", "opencl-c.h")], check=True)
        self.headers[architecture] = header

    def compile(self, source, words, architecture, to):
        """None, or what clang says."""
        run = subprocess.run(
            [self.compiler, "-x", "cl", *self.options(architecture), "-include-pch", self.headers[architecture], "-O3",
             "-w",  # compile.sh has them
             "-Xclang", "-mlink-builtin-bitcode", "-Xclang", self.library, *words, "-S", "-o", to, source],
            capture_output=True, text=True, check=False)
        return run.stderr.strip() if run.returncode else None


def read_ptxas(log):
    """Kernels of `ptxas -v`."""
    kernels = []
    for part in log.split("Compiling entry function '")[1:]:
        figure = lambda pattern: int(found.group(1)) if (found := re.search(pattern, part)) else 0
        kernels.append(Kernel(part.split("'")[0], registers=figure(r"Used (\d+) registers"),
                              stack=figure(r"(\d+) bytes stack frame"),
                              spilled=figure(r"(\d+) bytes spill stores") + figure(r"(\d+) bytes spill loads"),
                              shared=figure(r"(\d+) bytes smem")))
    return kernels


def read_amd(code):
    """Kernels of clang's assembly, whose comments tell the figures."""
    kernels = []
    for part in code.split(".amdhsa_kernel ")[1:]:
        figure = lambda name: int(found.group(1)) if (found := re.search(rf"; {name}: (\d+)", part)) else 0
        kernels.append(Kernel(part.split()[0], registers=figure("NumVgprs"), stack=figure("ScratchSize"), spilled=0,
                              shared=figure("LDSByteSize")))
    return kernels


def groups_by_registers(items, kernel):
    """Of a multiprocessor of NVIDIA's: warps get them by 256, each quarter of it has a quarter of the warps."""
    warp = -(-kernel.figures["registers"] * 32 // 256) * 256
    return REGISTERS // warp // 4 * 4 // -(-items // 32)


def groups_resident(items, kernel, warps_most, groups_most, shared_bytes, shared_each):
    shared = kernel.figures["shared"] + shared_each
    return min(groups_by_registers(items, kernel), shared_bytes // shared if shared else groups_most,
               warps_most // -(-items // 32), groups_most)


def kernels_for(architecture, path, toolchain):
    """The kernels of a compiled program, and what the assembler says where it does not take it."""
    with open(path, encoding="utf-8") as file:
        code = file.read()
    if toolchain.vendor == "amd":
        return read_amd(code), None
    run = subprocess.run([toolchain.assembler, "-v", f"-arch={architecture}", path, "-o", f"{path}.cubin"],
                         capture_output=True, text=True, check=False)
    said = run.stdout + run.stderr
    if re.search(r"^\s*call", code, re.MULTILINE):
        said = "calls a function\n" + said
        return [], said
    return (read_ptxas(said), None) if run.returncode == 0 else ([], said)


def check(build, toolchain, source_folder, architectures, number):
    """Lines of the table, and faults."""
    source, optional, launches, words, key = build
    path = os.path.join(toolchain.folder, f"{number}.s")
    table, faults = [], []
    if wrong := toolchain.compile(os.path.join(source_folder, source), words.split(), architectures[0], path):
        return [], [] if optional == "1" else [f"{source} {words} ({key}) does not compile:\n{wrong}"]
    items_of = {kernel: int(items) or 256 for kernel, items in (launch.split(":") for launch in launches.split(","))}
    for architecture in architectures if source in DEMANDING else architectures[:1]:
        name = f"{source} {words} ({key}, {architecture})"
        kernels, wrong = kernels_for(architecture, path, toolchain)
        if wrong:
            faults.append(f"{name}: {wrong}")
            continue
        if missing := set(items_of) - {kernel.name for kernel in kernels}:
            faults.append(f"{name} has no {', '.join(sorted(missing))}")
        for kernel in kernels:
            if kernel.name not in items_of:
                continue
            items, figures = items_of[kernel.name], kernel.figures
            resident = 0
            if toolchain.vendor == "nvidia":
                resident = groups_resident(items, kernel, *MULTIPROCESSORS[architecture])
            table.append((source, kernel.name, architecture, items, figures["registers"], figures["shared"], resident, key))
            if figures["stack"] or figures["spilled"]:
                faults.append(f"{name}: {kernel.name} keeps {figures['stack']} bytes in memory, {figures['spilled']} of "
                              "them spilled registers")
            if figures["shared"] > SHARED_MOST[toolchain.vendor]:
                faults.append(f"{name}: {kernel.name} has {figures['shared']} bytes of local memory")
            if toolchain.vendor == "nvidia" and groups_by_registers(items, kernel) < 2:
                faults.append(f"{name}: {kernel.name} has {figures['registers']} registers: one group of {items} takes all")
    os.remove(path)
    return table, faults


def print_table(table):
    """Of each kernel and architecture the build with most registers."""
    widest = {}
    for line in table:
        if line[:3] not in widest or line[4] > widest[line[:3]][4]:
            widest[line[:3]] = line
    print("source\tkernel\tarchitecture\titems\tregisters\tlocal bytes\tgroups\tcase")
    for line in sorted(widest.values()):
        print(*line, sep="\t")


def main(arguments):
    with_table = arguments[:1] == ["--table"]
    vendor, gpu_builds, source_folder = arguments[with_table:]
    table, faults, builds = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        toolchain = Toolchain(vendor, folder)
        for kind, architectures in LISTS[vendor]:
            listed = subprocess.run([gpu_builds, kind], capture_output=True, text=True, check=False)
            if listed.returncode:
                print(listed.stderr)
                return 1
            lines = listed.stdout.splitlines()
            if len(lines) < 100:
                faults.append(f"gpu-builds lists only {len(lines)} programs for {kind}")
            toolchain.prepare(architectures[0])
            for line in lines:
                build = tuple(line.split("\t"))
                builds.setdefault(build[:4], (build, architectures))
        with concurrent.futures.ThreadPoolExecutor(max_workers=min(2, len(os.sched_getaffinity(0)))) as pool:
            for lines, wrong in pool.map(
                    lambda item: check(item[1][0], toolchain, source_folder, item[1][1], item[0]),
                    enumerate(builds.values())):
                table += lines
                faults += wrong
    if with_table:
        print_table(table)
    for fault in faults:
        print(fault)
    print(f"{len(builds)} programs, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
