/* Instruction sets: registers as CPUs report them, and caps. */
#include <string.h>

#include <criterion/criterion.h>

#include "bm/topology.h"

/* The bits of Intel's Software Developer's Manual, volume 2, CPUID, by name. */
enum {
    FMA = 1 << 12,
    OSXSAVE = 1 << 27, /* leaf 1, ECX */
    AVX2 = 1 << 5,
    F = 1 << 16,
    DQ = 1 << 17,
    BW = 1 << 30,   /* leaf 7, EBX */
    VNNI = 1 << 11, /* leaf 7, ECX */
    AMX_BF16 = 1 << 22,
    FP16 = 1 << 23,
    AMX_TILE = 1 << 24,
    AMX_INT8 = 1 << 25, /* leaf 7, EDX */
    AVX_VNNI = 1 << 4,
    BF16 = 1 << 5, /* leaf 7.1, EAX */
};
#define VL (UINT32_C(1) << 31)                   /* leaf 7, EBX */
enum { YMM = 0x7, ZMM = 0xe7, TILES = 0x600e7 }; /* what the system saves */

static const struct bm_cpuid sapphire_rapids = {.leaf1_ecx = FMA | OSXSAVE,
                                                .leaf7_ebx = AVX2 | F | DQ | BW | VL,
                                                .leaf7_ecx = VNNI,
                                                .leaf7_edx = AMX_BF16 | FP16 | AMX_TILE | AMX_INT8,
                                                .leaf7_1_eax = AVX_VNNI | BF16,
                                                .xcr0 = TILES};
static const struct bm_cpuid alder_lake = {
    .leaf1_ecx = FMA | OSXSAVE, .leaf7_ebx = AVX2, .leaf7_1_eax = AVX_VNNI, .xcr0 = YMM};
static const struct bm_cpuid skylake_server = {
    .leaf1_ecx = FMA | OSXSAVE, .leaf7_ebx = AVX2 | F | DQ | BW | VL, .xcr0 = ZMM};

static void expect_tiers(struct bm_cpuid cpuid, enum bm_isa cap, const char *expected) {
    struct bm_cpu cpu;
    char tiers[64];
    bm_cpu_decode(&cpuid, &cpu);
    bm_cpu_cap(&cpu, cap);
    bm_cpu_tiers(&cpu, tiers);
    cr_expect_str_eq(tiers, expected);
}

Test(cpu, tiers_come_from_its_registers) {
    expect_tiers(sapphire_rapids, BM_ISA_ANY, "avx2 avx512 vnni avx512_bf16 amx");
    expect_tiers(alder_lake, BM_ISA_ANY, "avx2 vnni");
    expect_tiers(skylake_server, BM_ISA_ANY, "avx2 avx512");
    expect_tiers((struct bm_cpuid){0}, BM_ISA_ANY, "");
}

/* A system that does not save a register makes instructions on it unusable, whatever the CPU has. */
Test(cpu, needs_a_system_that_saves_its_registers) {
    struct bm_cpuid cpuid = sapphire_rapids;
    cpuid.xcr0 = ZMM;
    expect_tiers(cpuid, BM_ISA_ANY, "avx2 avx512 vnni avx512_bf16");
    cpuid.xcr0 = YMM;
    expect_tiers(cpuid, BM_ISA_ANY, "avx2 vnni");
    cpuid.xcr0 = 0x3;
    expect_tiers(cpuid, BM_ISA_ANY, "");
    cpuid.xcr0 = TILES;
    cpuid.leaf1_ecx = FMA;
    expect_tiers(cpuid, BM_ISA_ANY, "");
}

/* Every one of the four parts is needed: the library that runs rows needs them too. */
Test(cpu, avx512_is_all_of_its_parts) {
    static const uint32_t parts[] = {F, DQ, BW, VL};
    for (size_t i = 0; i < BM_COUNT_OF(parts); i++) {
        struct bm_cpuid cpuid = skylake_server;
        cpuid.leaf7_ebx &= ~parts[i];
        expect_tiers(cpuid, BM_ISA_ANY, "avx2");
    }
    struct bm_cpuid cpuid = skylake_server;
    cpuid.leaf1_ecx = OSXSAVE;
    expect_tiers(cpuid, BM_ISA_ANY, "");
}

Test(cpu, caps_leave_what_is_below_them) {
    expect_tiers(sapphire_rapids, BM_ISA_AVX2, "avx2");
    expect_tiers(sapphire_rapids, BM_ISA_AVX512, "avx2 avx512");
    expect_tiers(sapphire_rapids, BM_ISA_VNNI, "avx2 avx512 vnni");
    expect_tiers(sapphire_rapids, BM_ISA_AVX512_BF16, "avx2 avx512 vnni avx512_bf16");
    expect_tiers(sapphire_rapids, BM_ISA_AMX, "avx2 avx512 vnni avx512_bf16 amx");
    expect_tiers(alder_lake, BM_ISA_AVX2, "avx2"); /* AVX-VNNI is no part of AVX2 */
    expect_tiers(alder_lake, BM_ISA_AMX, "avx2 vnni");
    struct bm_cpu cpu;
    bm_cpu_decode(&sapphire_rapids, &cpu);
    cr_expect(cpu.avx512_fp16);
    bm_cpu_cap(&cpu, BM_ISA_AVX512_BF16);
    cr_expect_not(cpu.avx512_fp16, "f16 arithmetic came with AMX");
}

Test(cpu, names_go_both_ways) {
    for (int isa = BM_ISA_ANY + 1; isa < BM_ISA_COUNT; isa++)
        cr_expect_eq(bm_isa_find(bm_isa_name((enum bm_isa)isa)), isa);
    cr_expect_str_eq(bm_isa_name(BM_ISA_ANY), "");
    cr_expect_str_eq(bm_isa_name(BM_ISA_COUNT), "");
    cr_expect_eq(bm_isa_find(""), BM_ISA_ANY);
    cr_expect_eq(bm_isa_find("avx"), BM_ISA_ANY);
    cr_expect_eq(bm_isa_find("avx512_"), BM_ISA_ANY);
}

/* The compiler's own reading of the same registers. */
Test(cpu, of_this_machine_is_as_the_compiler_sees_it) {
    struct bm_cpu cpu;
    bm_cpu_detect(&cpu);
#if defined(__x86_64__)
    cr_expect_eq(cpu.avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
    cr_expect_eq(cpu.avx512, cpu.avx2 && __builtin_cpu_supports("avx512f") &&
                                 __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                                 __builtin_cpu_supports("avx512vl"));
    cr_expect_eq(cpu.avx512_vnni, cpu.avx512 && __builtin_cpu_supports("avx512vnni"));
    cr_expect_eq(bm_cpu_request_amx(), bm_cpu_has(&cpu, BM_ISA_AMX));
#else
    cr_expect_not(cpu.avx2);
    cr_expect_not(bm_cpu_request_amx());
#endif
}
