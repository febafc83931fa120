/* bm/topology.h - floor 2: what hwloc knows of this machine: packages, cores, caches, NUMA, PCI; places for
 * threads and binding; the CPU's instruction sets.
 *
 * hwloc's own OpenCL objects are not used: they hide CPU-only platforms. */
#ifndef BM_TOPOLOGY_H
#define BM_TOPOLOGY_H

#include "bm/base.h"

struct bm_topology; /* opaque */

/* source NULL: this machine. "xml:PATH": a recorded topology (lstopo file.xml). Anything else: hwloc's
 * synthetic description ("package:2 numa:1 l3:1 core:4 pu:2"). A recorded or synthetic topology cannot bind.
 */
enum bm_status bm_topology_open(const char *source, struct bm_topology **topology,
                                struct bm_error *error) BM_CHECK_RESULT;
void bm_topology_close(struct bm_topology *topology);

#define BM_MAX_NUMA 16

struct bm_package {
    char model[96]; /* "AMD EPYC 9654", "" when unknown */
    char vendor[32];
    unsigned cores, threads; /* threads = hardware threads (PUs) this process may use */
    uint64_t llc_bytes;      /* sum of the last-level caches of the package */
    uint64_t memory_bytes;   /* of its NUMA nodes */
    unsigned numa_count;
    unsigned numa[BM_MAX_NUMA]; /* OS indices */
};

struct bm_pci_gpu {
    struct bm_pci_address address;
    uint16_t vendor_id, device_id;
    char vendor[64], name[96]; /* from the PCI database where installed, else "" */
    unsigned numa_count;
    unsigned numa[BM_MAX_NUMA]; /* the NUMA nodes near its bus */
};

struct bm_cache_summary {
    unsigned level; /* 1, 2, 3 */
    unsigned count; /* instances */
    uint64_t bytes; /* of one instance */
    unsigned line_bytes;
};

/* A flat summary, owned by the topology and valid until it is closed. */
struct bm_machine {
    const struct bm_package *packages;
    size_t package_count;
    const struct bm_pci_gpu
        *gpus; /* PCI class 03 (display) and 12 (processing accelerator), bridges excluded */
    size_t gpu_count;
    struct bm_cache_summary caches[4]; /* data and unified caches, level 1 first */
    size_t cache_count;
    unsigned cores, threads, numa_nodes;
    /* Where cores differ: those of the fastest kind and of the slowest; both 0 where they are alike. */
    unsigned performance_cores, efficiency_cores;
    double cpu_limit; /* CPUs that the container may use on average; 0: no limit */
    uint64_t memory_bytes;
    bool is_this_machine;
};
const struct bm_machine *bm_topology_machine_get(const struct bm_topology *topology);

/* Binds the calling thread (and threads it starts later) to the hardware threads near: the given NUMA nodes,
 * or every one when count is 0. BM_UNSUPPORTED where the system refuses or the topology is not this machine.
 */
enum bm_status bm_topology_bind_near(const struct bm_topology *topology, const unsigned *numa, size_t count,
                                     struct bm_error *error) BM_CHECK_RESULT;

/* ---- instruction sets of x86 CPUs ---- */

/* Tiers of instructions, by which work can be capped. */
enum bm_isa {
    BM_ISA_ANY,         /* no cap: all that the CPU has */
    BM_ISA_AVX2,        /* AVX2 and FMA, without AVX-VNNI */
    BM_ISA_AVX512,      /* AVX-512 F, BW, DQ and VL */
    BM_ISA_VNNI,        /* dot products of 8-bit integers: AVX512-VNNI, AVX-VNNI */
    BM_ISA_AVX512_BF16, /* dot products of bf16 */
    BM_ISA_AMX,         /* matrices of bf16 and 8-bit integers, and everything else */
    BM_ISA_COUNT
};
const char *bm_isa_name(enum bm_isa isa);  /* "avx512_bf16", as --isa takes it; "" for BM_ISA_ANY */
enum bm_isa bm_isa_find(const char *name); /* BM_ISA_ANY: unknown */

/* What a CPU computes with, as far as the operating system saves its registers. All false on other CPUs than
 * x86 with 64 bits. */
struct bm_cpu {
    bool avx2, avx512, avx512_fp16, avx512_bf16, avx512_vnni, avx_vnni, amx_bf16, amx_int8;
};
/* The registers that tell: of CPUID leaf 1, leaf 7 subleaf 0 and 1, and extended control register 0. */
struct bm_cpuid {
    uint32_t leaf1_ecx, leaf7_ebx, leaf7_ecx, leaf7_edx, leaf7_1_eax;
    uint64_t xcr0;
};
/* Intel's Software Developer's Manual, volume 2, CPUID, and volume 1, 13.3 and 14.3. */
void bm_cpu_decode(const struct bm_cpuid *cpuid, struct bm_cpu *cpu);
void bm_cpu_detect(struct bm_cpu *cpu); /* this machine's */
/* Leaves what the cap allows: each tier allows those before it; f16 arithmetic comes with AMX. */
void bm_cpu_cap(struct bm_cpu *cpu, enum bm_isa cap);
bool bm_cpu_has(const struct bm_cpu *cpu, enum bm_isa tier); /* BM_ISA_ANY: yes */
/* The tiers that it has, "avx2 avx512 vnni"; "" when none. */
void bm_cpu_tiers(const struct bm_cpu *cpu, char text[64]);
/* Asks the kernel once for the tile registers of AMX, which it gives only on request (arch_prctl,
 * ARCH_REQ_XCOMP_PERM). false: refused, or there are none. */
bool bm_cpu_request_amx(void);

/* ---- places for threads ---- */

enum bm_core_kind { BM_CORES_ALL, BM_CORES_PERFORMANCE, BM_CORES_EFFICIENCY };
/* A hardware thread that this process may use; OS indices. */
struct bm_place {
    unsigned pu, node;
};
struct bm_places {
    struct bm_place *items; /* owned; those of one node beside each other */
    unsigned count;
    bool chosen; /* not simply all: by number or kind, or by the container's share */
};
/* One place for each of `threads` threads: first one of each core, node by node, then the cores' other
 * hardware threads. threads 0: as many as there are cores, at most the container's share of CPUs.
 * BM_INVALID when there are fewer places, or no cores of the kind. Free with bm_places_fini. */
enum bm_status bm_topology_places(const struct bm_topology *topology, enum bm_core_kind kind,
                                  unsigned threads, struct bm_places *places,
                                  struct bm_error *error) BM_CHECK_RESULT;
void bm_places_fini(struct bm_places *places);
/* Binds the calling thread to a place, or, with bm_places_bind, to all of them together: threads started
 * later inherit that. BM_UNSUPPORTED where the system refuses. */
enum bm_status bm_place_bind(const struct bm_place *place, struct bm_error *error) BM_CHECK_RESULT;
enum bm_status bm_places_bind(const struct bm_places *places, struct bm_error *error) BM_CHECK_RESULT;

#endif
