/* Instruction sets of x86 CPUs. */
#include <string.h>

#include "bm/topology.h"

static const char *const names[BM_ISA_COUNT] = {
    [BM_ISA_ANY] = "",
    [BM_ISA_AVX2] = "avx2",
    [BM_ISA_AVX512] = "avx512",
    [BM_ISA_VNNI] = "vnni",
    [BM_ISA_AVX512_BF16] = "avx512_bf16",
    [BM_ISA_AMX] = "amx",
};

const char *bm_isa_name(enum bm_isa isa) {
    return (unsigned)isa < BM_ISA_COUNT ? names[isa] : "";
}

enum bm_isa bm_isa_find(const char *name) {
    for (int isa = BM_ISA_ANY + 1; isa < BM_ISA_COUNT; isa++)
        if (strcmp(names[isa], name) == 0)
            return (enum bm_isa)isa;
    return BM_ISA_ANY;
}

static bool has_bit(uint64_t bits, unsigned bit) {
    return (bits >> bit & 1) != 0;
}

static bool has_bits(uint64_t bits, uint64_t wanted) {
    return (bits & wanted) == wanted;
}

void bm_cpu_decode(const struct bm_cpuid *cpuid, struct bm_cpu *cpu) {
    /* What the system saves: SSE and AVX; the masks and both parts of AVX-512; tile configuration and data.
     */
    enum { SAVES_AVX = 0x6, SAVES_AVX512 = 0xe0, SAVES_AMX = 0x60000 };
    const bool ymm = has_bit(cpuid->leaf1_ecx, 27) && has_bits(cpuid->xcr0, SAVES_AVX);
    const bool zmm = ymm && has_bits(cpuid->xcr0, SAVES_AVX512);
    const bool tiles = ymm && has_bits(cpuid->xcr0, SAVES_AMX) && has_bit(cpuid->leaf7_edx, 24);
    *cpu = (struct bm_cpu){0};
    cpu->avx2 = ymm && has_bit(cpuid->leaf7_ebx, 5) && has_bit(cpuid->leaf1_ecx, 12);
    cpu->avx512 = cpu->avx2 && zmm && has_bit(cpuid->leaf7_ebx, 16) && has_bit(cpuid->leaf7_ebx, 17) &&
                  has_bit(cpuid->leaf7_ebx, 30) && has_bit(cpuid->leaf7_ebx, 31);
    cpu->avx512_fp16 = cpu->avx512 && has_bit(cpuid->leaf7_edx, 23);
    cpu->avx512_bf16 = cpu->avx512 && has_bit(cpuid->leaf7_1_eax, 5);
    cpu->avx512_vnni = cpu->avx512 && has_bit(cpuid->leaf7_ecx, 11);
    cpu->avx_vnni = cpu->avx2 && has_bit(cpuid->leaf7_1_eax, 4);
    cpu->amx_bf16 = tiles && has_bit(cpuid->leaf7_edx, 22);
    cpu->amx_int8 = tiles && has_bit(cpuid->leaf7_edx, 25);
}

void bm_cpu_cap(struct bm_cpu *cpu, enum bm_isa cap) {
    if (cap == BM_ISA_ANY || cap >= BM_ISA_AMX)
        return;
    cpu->amx_bf16 = cpu->amx_int8 = cpu->avx512_fp16 = false;
    if (cap < BM_ISA_AVX512_BF16)
        cpu->avx512_bf16 = false;
    if (cap < BM_ISA_VNNI)
        cpu->avx512_vnni = cpu->avx_vnni = false;
    if (cap < BM_ISA_AVX512)
        cpu->avx512 = false;
}

bool bm_cpu_has(const struct bm_cpu *cpu, enum bm_isa tier) {
    switch (tier) {
    case BM_ISA_ANY:
        return true;
    case BM_ISA_AVX2:
        return cpu->avx2;
    case BM_ISA_AVX512:
        return cpu->avx512;
    case BM_ISA_VNNI:
        return cpu->avx512_vnni || cpu->avx_vnni;
    case BM_ISA_AVX512_BF16:
        return cpu->avx512_bf16;
    case BM_ISA_AMX:
        return cpu->amx_bf16 || cpu->amx_int8;
    case BM_ISA_COUNT:
        break;
    }
    return false;
}

void bm_cpu_tiers(const struct bm_cpu *cpu, char text[64]) {
    size_t length = 0;
    text[0] = '\0';
    for (int isa = BM_ISA_ANY + 1; isa < BM_ISA_COUNT; isa++)
        if (bm_cpu_has(cpu, (enum bm_isa)isa)) {
            bm_string_set(text + length, 64 - length, length > 0 ? " " : "");
            length = strlen(text);
            bm_string_set(text + length, 64 - length, names[isa]);
            length = strlen(text);
        }
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t read_xcr0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

void bm_cpu_detect(struct bm_cpu *cpu) {
    struct bm_cpuid cpuid = {0};
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d))
        cpuid.leaf1_ecx = c;
    if (has_bit(cpuid.leaf1_ecx, 27)) /* OSXSAVE: xgetbv may be used */
        cpuid.xcr0 = read_xcr0();
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        cpuid.leaf7_ebx = b;
        cpuid.leaf7_ecx = c;
        cpuid.leaf7_edx = d;
        if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
            cpuid.leaf7_1_eax = a;
    }
    bm_cpu_decode(&cpuid, cpu);
}

/* Linux gives the 8 KiB of tile data to a process that asked for them before its first tile instruction
 * (Documentation/arch/x86/xstate.rst). */
bool bm_cpu_request_amx(void) {
    enum { REQUEST_PERMISSION = 0x1023 /* ARCH_REQ_XCOMP_PERM */, TILE_DATA = 18 };
    struct bm_cpu cpu;
    bm_cpu_detect(&cpu);
    return bm_cpu_has(&cpu, BM_ISA_AMX) && syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#else
void bm_cpu_detect(struct bm_cpu *cpu) {
    *cpu = (struct bm_cpu){0};
}

bool bm_cpu_request_amx(void) {
    return false;
}
#endif
