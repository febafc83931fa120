#include "tiles.h"

#if defined(__x86_64__)
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>

enum { TILES = 8, ROWS = 16, ROW_BYTES = 64 };

static _Thread_local struct {
    bool configured;
    uint8_t rows[TILES];
    uint16_t row_bytes[TILES];
    uint8_t data[TILES][ROWS][ROW_BYTES];
} state;

static _Atomic(const char *) problem;
static atomic_uint_fast64_t instructions;

static void complain(const char *what) {
    const char *none = NULL;
    atomic_compare_exchange_strong(&problem, &none, what);
}

const char *tiles_problem(void) {
    const char *what = atomic_exchange(&problem, NULL);
    return what != NULL ? what : "";
}

uint64_t tiles_instructions(void) {
    return atomic_load(&instructions);
}

/* ---- instructions ---- */

/* Byte 0: palette, 1: start row, 2 to 15: zero; 16 to 47: bytes of a row, 48 to 63: rows, of tiles 0 to 15.
 */
static void load_configuration(const uint8_t *from) {
    memset(&state, 0, sizeof state);
    if (from[0] == 0) /* palette 0: as after TILERELEASE */
        return;
    if (from[0] != 1)
        complain("LDTILECFG: the palette is neither 0 nor 1");
    for (int i = 1; i < 16; i++)
        if (from[i] != 0)
            complain("LDTILECFG: a reserved byte is not 0");
    for (int tile = 0; tile < 16; tile++) {
        uint16_t bytes;
        memcpy(&bytes, from + 16 + 2 * tile, sizeof bytes);
        const uint8_t rows = from[48 + tile];
        if (bytes > ROW_BYTES || rows > ROWS || (tile >= TILES && (bytes | rows) != 0))
            complain("LDTILECFG: a tile is larger than it can be");
        else if ((bytes == 0) != (rows == 0))
            complain("LDTILECFG: a tile has rows or columns alone");
        else if (tile < TILES) {
            state.rows[tile] = rows;
            state.row_bytes[tile] = bytes;
        }
    }
    state.configured = true;
}

static bool is_there(unsigned tile) {
    if (!state.configured || state.rows[tile & 7] == 0)
        complain("a tile is used that is not configured");
    return state.configured && state.rows[tile & 7] != 0;
}

static void load(unsigned tile, const uint8_t *from, int64_t stride) {
    if (!is_there(tile))
        return;
    memset(state.data[tile], 0, sizeof state.data[tile]);
    for (int row = 0; row < state.rows[tile]; row++)
        memcpy(state.data[tile][row], from + row * stride, state.row_bytes[tile]);
}

static void store(unsigned tile, uint8_t *to, int64_t stride) {
    if (!is_there(tile))
        return;
    for (int row = 0; row < state.rows[tile]; row++)
        memcpy(to + row * stride, state.data[tile][row], state.row_bytes[tile]);
}

static float float_of(const uint8_t bf16[2]) {
    const uint32_t bits = (uint32_t)bf16[1] << 24 | (uint32_t)bf16[0] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void add_bf16(uint8_t sum[4], const uint8_t left[4], const uint8_t right[4]) {
    float value;
    memcpy(&value, sum, sizeof value);
    value += float_of(left) * float_of(right);
    value += float_of(left + 2) * float_of(right + 2);
    memcpy(sum, &value, sizeof value);
}

static void add_int8(uint8_t sum[4], const uint8_t left[4], const uint8_t right[4], bool left_signed,
                     bool right_signed) {
    int32_t value;
    memcpy(&value, sum, sizeof value);
    for (int i = 0; i < 4; i++) /* sums wrap around */
        value = (int32_t)((uint32_t)value + (uint32_t)((left_signed ? (int8_t)left[i] : left[i]) *
                                                       (right_signed ? (int8_t)right[i] : right[i])));
    memcpy(sum, &value, sizeof value);
}

/* prefix, as VEX has it: of bytes 0 uu, 1 us (66), 2 su (F3), 3 ss (F2), the left one first. */
static void multiply(unsigned sum, unsigned left, unsigned right, unsigned prefix, bool bf16) {
    if (!is_there(sum) || !is_there(left) || !is_there(right))
        return;
    if (sum == left || sum == right || left == right)
        complain("a product needs three different tiles");
    if (state.rows[sum] != state.rows[left] || state.row_bytes[sum] != state.row_bytes[right] ||
        state.row_bytes[left] != 4 * state.rows[right] || state.row_bytes[sum] % 4 != 0)
        complain("the shapes of the tiles of a product do not fit");
    for (int m = 0; m < state.rows[sum]; m++)
        for (int k = 0; k < state.row_bytes[left] / 4; k++)
            for (int n = 0; n < state.row_bytes[sum] / 4; n++) {
                uint8_t *to = &state.data[sum][m][4 * n];
                if (bf16)
                    add_bf16(to, &state.data[left][m][4 * k], &state.data[right][k][4 * n]);
                else
                    add_int8(to, &state.data[left][m][4 * k], &state.data[right][k][4 * n], prefix >= 2,
                             prefix % 2 != 0);
            }
}

/* ---- decoding: VEX with three bytes, map 0F38, 128 bits, W 0 ---- */

struct decoded {
    unsigned prefix, vvvv, mod, reg, rm;
    uint8_t opcode;
    uint8_t *address;
    int64_t stride; /* of the rows in memory: the index register */
    size_t length;
};

static int64_t greg(const ucontext_t *context, unsigned number) {
    static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return context->uc_mcontext.gregs[order[number]];
}

static bool decode(const ucontext_t *context, const uint8_t *code, struct decoded *out) {
    if (code[0] != 0xc4 || (code[1] & 0x1f) != 2 || (code[2] & 0x84) != 0)
        return false;
    const unsigned x = (code[1] & 0x40) == 0 ? 8 : 0, b = (code[1] & 0x20) == 0 ? 8 : 0;
    *out = (struct decoded){.prefix = code[2] & 3,
                            .vvvv = (~code[2] >> 3) & 15,
                            .opcode = code[3],
                            .mod = code[4] >> 6,
                            .reg = (code[4] >> 3) & 7,
                            .rm = code[4] & 7};
    const uint8_t *at = code + 5;
    if (out->mod == 3) {
        out->length = 5;
        return true;
    }
    int64_t base = 0;
    int32_t wide = 0;
    bool relative = false;
    unsigned displacement = out->mod == 1 ? 1 : out->mod == 2 ? 4 : 0;
    if (out->rm == 4) { /* SIB */
        const unsigned sib = *at++, index = ((sib >> 3) & 7) + x, low = sib & 7;
        out->stride = index == 4 ? 0 : greg(context, index) * (1 << (sib >> 6));
        if (low == 5 && out->mod == 0)
            displacement = 4;
        else
            base = greg(context, low + b);
    } else if (out->rm == 5 && out->mod == 0) {
        displacement = 4;
        relative = true;
    } else {
        base = greg(context, out->rm + b);
    }
    if (displacement == 1)
        wide = (int8_t)*at;
    else if (displacement == 4)
        memcpy(&wide, at, sizeof wide);
    at += displacement;
    out->length = (size_t)(at - code);
    if (relative)
        base = (int64_t)(intptr_t)at;
    out->address = (uint8_t *)(intptr_t)(base + wide);
    return true;
}

/* false: it is none of AMX. */
static bool execute(const struct decoded *it) {
    enum { NONE, P66, PF3, PF2 };
    if (it->opcode == 0x49 && it->mod == 3) {
        if (it->prefix == PF2 && it->rm == 0) { /* TILEZERO */
            if (is_there(it->reg))
                memset(state.data[it->reg], 0, sizeof state.data[it->reg]);
        } else if (it->prefix == NONE && it->reg == 0 && it->rm == 0) {
            memset(&state, 0, sizeof state); /* TILERELEASE */
        } else {
            return false;
        }
    } else if (it->opcode == 0x49 && it->prefix == NONE && it->reg == 0) {
        load_configuration(it->address + it->stride);
    } else if (it->opcode == 0x4b && it->mod != 3 && it->rm == 4 && it->prefix != NONE) {
        if (it->prefix == PF3)
            store(it->reg, it->address, it->stride);
        else
            load(it->reg, it->address, it->stride);
    } else if (it->mod == 3 && it->vvvv < TILES && it->opcode == 0x5e) {
        multiply(it->reg, it->rm, it->vvvv, it->prefix, false);
    } else if (it->mod == 3 && it->vvvv < TILES && it->opcode == 0x5c && it->prefix == PF3) {
        multiply(it->reg, it->rm, it->vvvv, it->prefix, true);
    } else {
        return false;
    }
    return true;
}

static void on_illegal_instruction(int number, siginfo_t *info, void *context_) {
    ucontext_t *context = context_;
    struct decoded it;
    (void)info;
    if (decode(context, (const uint8_t *)(intptr_t)context->uc_mcontext.gregs[REG_RIP], &it) &&
        execute(&it)) {
        context->uc_mcontext.gregs[REG_RIP] += (int64_t)it.length;
        atomic_fetch_add(&instructions, 1);
        return;
    }
    signal(number, SIG_DFL); /* it comes again, and ends the process */
}

void tiles_emulate(void) {
    struct sigaction action = {.sa_sigaction = on_illegal_instruction, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGILL, &action, NULL);
}
#else
void tiles_emulate(void) {}
const char *tiles_problem(void) {
    return "";
}
uint64_t tiles_instructions(void) {
    return 0;
}
#endif
