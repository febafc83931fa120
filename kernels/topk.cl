/* topk.cl - routing: which experts a token goes to, and with what weights. OpenCL C 1.2, no extension.
 *
 * Logits [m, EXPERTS], outputs [m, 2, CHOSEN] in f32: the weights, best first, then the experts' numbers.
 * GROUPS 0: softmax over all experts, of which the CHOSEN largest are kept. Else: sigmoid, to which biases
 * [EXPERTS] are added for choosing alone; the GROUPS_USED groups whose two best add up to most, the CHOSEN
 * best experts in them; weights are the sigmoids' shares of their sum, times SCALE. Of equals the first is
 * taken. A group of LANES work-items handles a row, VEC neighbours at a time, VEC a divisor of EXPERTS.
 * Range: {LANES x m}. */
#ifndef EXPERTS
#define EXPERTS 256
#endif
#ifndef CHOSEN
#define CHOSEN 8
#endif
#ifndef GROUPS
#define GROUPS 0
#endif
#ifndef GROUPS_USED
#define GROUPS_USED 4
#endif
#ifndef FORMAT /* 0: f32, 1: f16, 2: bf16 */
#define FORMAT 0
#endif
#ifndef VEC
#define VEC 16
#endif
#ifndef LANES
#define LANES 1
#endif
#define SCALE 2.5f

/* Compilers for x86 split vectors of 512 bits in two unless a function asks for them. */
#if defined(__clang__) && defined(__has_attribute)
#if __has_attribute(min_vector_width)
#define WIDE_VECTORS __attribute__((min_vector_width(512)))
#endif
#endif
#ifndef WIDE_VECTORS
#define WIDE_VECTORS
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#if VEC == 1
typedef float floatv;
typedef uint uintv;
typedef ushort ushortv;
#define CONVERT_UINT(v) ((uint)(v))
#define AS_FLOAT(v)     as_float(v)
#define LOAD_HALF(p)    vload_half(0, p)
#else
typedef JOIN(float, VEC) floatv;
typedef JOIN(uint, VEC) uintv;
typedef JOIN(ushort, VEC) ushortv;
#define CONVERT_UINT(v) JOIN(convert_uint, VEC)(v)
#define AS_FLOAT(v)     JOIN(as_float, VEC)(v)
#define LOAD_HALF(p)    JOIN(vloada_half, VEC)(0, p)
#endif

/* Rows begin at multiples of VEC elements. */
#if FORMAT == 0
typedef float stored;
static floatv load(global const stored *p) {
    return *(global const floatv *)p;
}
#elif FORMAT == 1
typedef half stored;
static floatv load(global const stored *p) {
#if LANES > 1 /* whole, where a GPU's driver might load one half after the other */
    const ushortv bits = *(global const ushortv *)p;
    return LOAD_HALF((const half *)&bits);
#else
    return LOAD_HALF(p);
#endif
}
#else
typedef ushort stored;
static floatv load(global const stored *p) {
    return AS_FLOAT(CONVERT_UINT(*(global const ushortv *)p) << 16);
}
#endif

#pragma OPENCL FP_CONTRACT ON

#if LANES == 1
#define SHARED private
#define SYNC()
#else
#define SHARED local
#define SYNC() barrier(CLK_LOCAL_MEM_FENCE)
#endif
#if VEC == 1
typedef int intv;
#else
typedef JOIN(int, VEC) intv;
#endif

struct best {
    float value;
    int index;
};

static struct best better(const struct best a, const struct best b) {
    return b.value > a.value || (b.value == a.value && b.index < a.index) ? b : a;
}

/* The best of `values`, the same in every lane; all lanes must be here. */
static struct best find_best(SHARED const floatv *values, SHARED struct best *found, const uint lane) {
    struct best best = {-INFINITY, EXPERTS - 1};
    (void)found;
    floatv most = -INFINITY;
    intv where = 0;

    for (uint i = lane; i < EXPERTS / VEC; i += LANES) {
        where = select(where, (intv)((int)i * VEC), values[i] > most); /* of equals the first stays */
        most = max(most, values[i]);
    }
    for (int v = 0; v < VEC; v++)
        best = better(best, (struct best){((const float *)&most)[v], ((const int *)&where)[v] + v});
#if LANES > 1
    SYNC(); /* whoever still reads the last one */
    found[lane] = best;
    for (uint half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {
        SYNC();
        if (lane < half_lanes)
            found[lane] = better(found[lane], found[lane + half_lanes]);
    }
    SYNC();
    best = found[0];
#endif
    return best;
}

#if GROUPS
#define GROUP_SIZE (EXPERTS / GROUPS)

/* Leaves the choices of the groups that are used, and -infinity in the others. */
static void choose_groups(SHARED float *choice, SHARED float *group_score, const uint lane) {
    for (uint g = lane; g < GROUPS; g += LANES) {
        float first = -INFINITY, second = -INFINITY;
        for (uint e = g * GROUP_SIZE; e < (g + 1) * GROUP_SIZE; e++) {
            second = max(second, min(first, choice[e]));
            first = max(first, choice[e]);
        }
        group_score[g] = first + second;
    }
    SYNC();
    /* Used are those that fewer than GROUPS_USED are ahead of; of equals the first is. */
    for (uint g = 0; g < GROUPS; g++) {
        uint ahead = 0;
        for (uint h = 0; h < GROUPS; h++)
            ahead += group_score[h] > group_score[g] || (group_score[h] == group_score[g] && h < g);
        for (uint e = lane; ahead >= GROUPS_USED && e < GROUP_SIZE; e += LANES)
            choice[g * GROUP_SIZE + e] = -INFINITY;
    }
    SYNC();
}
#endif

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
topk(global float *restrict outputs, global const stored *restrict logits, const ulong logits_offset
#if GROUPS
     ,
     global const float *restrict biases, const ulong biases_offset
#endif
) {
    SHARED floatv choice[EXPERTS / VEC], score[EXPERTS / VEC];
    SHARED struct best found[LANES];
    SHARED float kept[CHOSEN];
    const uint lane = get_local_id(0);
    global const stored *from = logits + logits_offset + get_group_id(0) * EXPERTS;
    global float *weights = outputs + get_group_id(0) * (2 * CHOSEN);
    float total = 0.0f;

    for (uint i = lane; i < EXPERTS / VEC; i += LANES) {
        const floatv x = load(from + i * VEC);
#if GROUPS
        const floatv bias = *(global const floatv *)(biases + biases_offset + i * VEC);
        score[i] = 1.0f / (1.0f + exp(-x));
        choice[i] = score[i] + bias;
#else
        score[i] = choice[i] = x;
#endif
    }
    SYNC();
#if GROUPS
    SHARED float group_score[GROUPS];
    choose_groups((SHARED float *)choice, group_score, lane);
#endif
    for (uint c = 0; c < CHOSEN; c++) {
        const struct best best = find_best(choice, found, lane);
        if (lane == 0) {
            kept[c] = ((SHARED const float *)score)[best.index];
            ((SHARED float *)choice)[best.index] = -INFINITY;
            weights[CHOSEN + c] = best.index;
        }
        SYNC();
    }
#if GROUPS
    for (uint c = 0; c < CHOSEN; c++)
        total += kept[c];
    for (uint c = lane; c < CHOSEN; c += LANES)
        weights[c] = kept[c] * (SCALE / total);
#else
    /* The largest of all is the first that was kept. */
    SHARED float sum[LANES];
    floatv sums = 0.0f;
    for (uint i = lane; i < EXPERTS / VEC; i += LANES)
        sums += exp(score[i] - kept[0]);
    sum[lane] = 0.0f;
    for (uint v = 0; v < VEC; v++)
        sum[lane] += ((const float *)&sums)[v];
    SYNC();
    for (uint l = 0; l < LANES; l++)
        total += sum[l];
    for (uint c = lane; c < CHOSEN; c += LANES)
        weights[c] = exp(kept[c] - kept[0]) / total;
#endif
}
