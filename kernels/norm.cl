/* norm.cl - RMSNorm and LayerNorm of rows, statistics in f32. OpenCL C 1.2, no extension.
 *
 * Inputs and outputs [m, n], weights and biases [n], n a multiple of STREAMS x VEC. LANES work-items take
 * ROWS rows, one after the other: while one is written the sums of the next are formed, so that memory is
 * read and written at once. A work-item has STREAMS vectors in hand; SIDES rows go side by side in a group,
 * where one is too short for all of it. Range: {LANES x SIDES x groups}. */
#ifndef LAYER_NORM /* 0: RMSNorm, which has no mean and no biases */
#define LAYER_NORM 0
#endif
#ifndef HEADS /* 1: rows are heads of queries and of keys, which have weights of their own */
#define HEADS 0
#endif
#ifndef FORMAT /* 0: f32, 1: f16, 2: bf16 */
#define FORMAT 0
#endif
#ifndef ROWS
#define ROWS 1
#endif
#ifndef STREAMS
#define STREAMS 1
#endif
#ifndef VEC
#define VEC 16
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef SIDES
#define SIDES 1
#endif
#ifndef PREFETCH /* rows ahead that are called for, where the compiler can; 0: nothing */
#define PREFETCH 0
#endif
#ifndef NONTEMPORAL /* 1: stores that do not read the line they write first, where the compiler has such */
#define NONTEMPORAL 0
#endif

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
#define CONVERT_UINT(v)   ((uint)(v))
#define CONVERT_USHORT(v) ((ushort)(v))
#define AS_FLOAT(v)       as_float(v)
#define AS_UINT(v)        as_uint(v)
#define IS_NAN(v)         ((uint)isnan(v))
#define LOAD_HALF(p)      vload_half(0, p)
#define STORE_HALF(v, p)  vstore_half(v, 0, p)
#else
typedef JOIN(float, VEC) floatv;
typedef JOIN(uint, VEC) uintv;
typedef JOIN(ushort, VEC) ushortv;
#define CONVERT_UINT(v)   JOIN(convert_uint, VEC)(v)
#define CONVERT_USHORT(v) JOIN(convert_ushort, VEC)(v)
#define AS_FLOAT(v)       JOIN(as_float, VEC)(v)
#define AS_UINT(v)        JOIN(as_uint, VEC)(v)
#define IS_NAN(v)         AS_UINT(isnan(v))
#define LOAD_HALF(p)      JOIN(vloada_half, VEC)(0, p)
#define STORE_HALF(v, p)  JOIN(vstorea_half, VEC)(v, 0, p)
#endif

#if NONTEMPORAL && defined(__clang__) && defined(__has_builtin)
#if __has_builtin(__builtin_nontemporal_store)
#define PUT(v, p) __builtin_nontemporal_store(v, p)
#endif
#endif
#ifndef PUT
#define PUT(v, p) (*(p) = (v))
#endif

#if PREFETCH && defined(__clang__)
#define CALL_FOR(p) __builtin_prefetch((const char *)(ulong)(p))
#else
#define CALL_FOR(p)
#endif

/* Rows begin at multiples of VEC elements. */
#if FORMAT == 0
typedef float stored;
static floatv load(global const stored *p) {
    return *(global const floatv *)p;
}
static void store(const floatv v, global stored *p) {
    PUT(v, (global floatv *)p);
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
static void store(const floatv v, global stored *p) {
    ushortv bits;
    STORE_HALF(v, (half *)&bits);
    PUT(bits, (global ushortv *)p);
}
#else
typedef ushort stored;
static floatv load(global const stored *p) {
    return AS_FLOAT(CONVERT_UINT(*(global const ushortv *)p) << 16);
}
static void store(const floatv v, global stored *p) { /* to nearest even; a NaN stays one */
    const uintv bits = AS_UINT(v);
    const uintv rounded = bits + 0x7fffu + (bits >> 16 & 1u), quiet = bits | 0x400000u;
    PUT(CONVERT_USHORT(select(rounded, quiet, IS_NAN(v)) >> 16), (global ushortv *)p);
}
#endif

#pragma OPENCL FP_CONTRACT ON

static float sum_of(const floatv v) {
#if VEC == 1
    return v;
#elif VEC == 2
    return v.x + v.y;
#elif VEC == 4
    return v.x + v.y + (v.z + v.w);
#else
#if VEC == 16
    const float8 a = v.lo + v.hi;
#else
    const float8 a = v;
#endif
    const float4 b = a.lo + a.hi;
    return b.x + b.y + (b.z + b.w);
#endif
}

/* `value` becomes the sum over the lanes of a row, in every lane; `part` is the row's. */
#if LANES == 1
#define SUM_LANES(value, part, lane)
#else
#define SUM_LANES(value, part, lane)                                                                         \
    barrier(CLK_LOCAL_MEM_FENCE); /* whoever still reads the last sum */                                     \
    part[lane] = value;                                                                                      \
    for (uint half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {                                     \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                        \
        if (lane < half_lanes)                                                                               \
            part[lane] += part[lane + half_lanes];                                                           \
    }                                                                                                        \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                            \
    value = part[0];
#endif

/* Where the row begins, in elements, and how far the next one is, mostly. */
#if HEADS
#define AT_ROW(pitch, head_pitch) (token * (pitch) + head * (head_pitch))
#define STEP                      from_head_pitch
#else
#define AT_ROW(pitch, head_pitch) (row * (pitch))
#define STEP                      from_pitch
#endif
/* Whether the row that sums are formed of is one: sides past the end go round with the others. */
#define IS_ROW (SIDES == 1 || row < m)

/* The vectors of a lane, in elements of a row, STREAMS of them at a time. All lanes go round as often:
 * PoCL 3.1 lets those that should not go round at all do so once. */
#define WIDTH (STREAMS * VEC)
#define FOR_EACH(i, n)                                                                                       \
    for (uint start = 0, i = lane * WIDTH; start < n; start += LANES * WIDTH, i += LANES * WIDTH)            \
        if (LANES == 1 || i < n)
#define EACH _Pragma("unroll") for (uint s = 0; s < STREAMS; s++)

/* Sums of a row. LayerNorm's are of deviations from a mean of the row's first elements: that is near enough
 * to the row's own for the variance to lose no digits to it (Chan, Golub and LeVeque 1983), and one pass
 * does. */
struct sums {
    floatv squares[STREAMS];
#if LAYER_NORM
    floatv deviations[STREAMS];
    float shift;
#endif
};

static void begin(struct sums *sums, global const stored *row, const uint n) {
    EACH sums->squares[s] = 0.0f;
#if !LAYER_NORM
    (void)row, (void)n;
#else
    const uint first = min(n, (uint)max(16, VEC));
    float sum = 0.0f;
    for (uint i = 0; i + VEC <= first; i += VEC)
        sum += sum_of(load(row + i));
    sums->shift = sum / first;
    EACH sums->deviations[s] = 0.0f;
#endif
}

static void add(struct sums *sums, global const stored *at) {
#if LAYER_NORM
    EACH {
        const floatv deviation = load(at + s * VEC) - sums->shift;
        sums->deviations[s] += deviation;
        sums->squares[s] += deviation * deviation;
    }
#else
    EACH {
        const floatv x = load(at + s * VEC);
        sums->squares[s] += x * x;
    }
#endif
}

static float total_of(const floatv v[STREAMS]) {
    floatv sum = v[0];
    for (uint s = 1; s < STREAMS; s++)
        sum += v[s];
    return sum_of(sum);
}

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES * SIDES, 1, 1))) void
norm(global stored *outputs, const ulong outputs_offset, global const stored *inputs, /* may be one */
     const ulong inputs_offset, global const stored *restrict weights, const ulong weights_offset,
#if LAYER_NORM
     global const stored *restrict biases, const ulong biases_offset,
#endif
#if HEADS
     global const stored *restrict key_weights, const ulong key_weights_offset,
#endif
     const uint m, const uint n, const float epsilon, const ulong to_pitch, const ulong from_pitch
#if HEADS
     ,
     const uint heads, const uint query_heads, const ulong to_head_pitch, const ulong from_head_pitch
#endif
) {
    const uint lane = get_local_id(0) % LANES, side = get_local_id(0) / LANES;
    const uint first = (uint)get_group_id(0) * (ROWS * SIDES), end = min(first + ROWS * SIDES, m);
    uint row = first + side;
#if HEADS
    const uint tokens_on = SIDES / heads, heads_on = SIDES % heads; /* too slow to divide for each row */
    uint token = row / heads, head = row % heads;
#endif
    global const stored *next = inputs + inputs_offset + AT_ROW(from_pitch, from_head_pitch);
    struct sums sums;
#if LANES > 1
    local float parts[LANES * SIDES];
    local float *part = parts + side * LANES;
#endif

    begin(&sums, next, IS_ROW ? n : 0);
    FOR_EACH(i, n)
    if (IS_ROW)
        add(&sums, next + i);
    for (uint base = first; base < end; base += SIDES) {
        global const stored *from = next;
        global stored *to = outputs + outputs_offset + AT_ROW(to_pitch, to_head_pitch);
#if HEADS
        global const stored *weight =
            head < query_heads ? weights + weights_offset : key_weights + key_weights_offset;
#else
        global const stored *weight = weights + weights_offset;
#endif
        float squares = total_of(sums.squares);
        SUM_LANES(squares, part, lane)
#if LAYER_NORM
        global const stored *bias = biases + biases_offset;
        float deviation = total_of(sums.deviations);
        SUM_LANES(deviation, part, lane)
        deviation /= n;
        const float mean = sums.shift + deviation;
        const float variance = squares / n - deviation * deviation;
        const float factor = 1.0f / sqrt((variance < 0.0f ? 0.0f : variance) + epsilon); /* NaN stays */
#define NORMALISED(i) ((load(from + (i)) - mean) * factor * load(weight + (i)) + load(bias + (i)))
#else
        const float factor = 1.0f / sqrt(squares / n + epsilon);
#define NORMALISED(i) (load(from + (i)) * factor * load(weight + (i)))
#endif
        if (base + SIDES < end) {
            row += SIDES;
#if HEADS
            token += tokens_on;
            head += heads_on;
            if (head >= heads) {
                head -= heads;
                token++;
            }
#endif
            next = inputs + inputs_offset + AT_ROW(from_pitch, from_head_pitch);
            begin(&sums, next, IS_ROW ? n : 0);
            FOR_EACH(i, n) {
                EACH CALL_FOR(next + PREFETCH * STEP + i + s * VEC);
                if (IS_ROW)
                    add(&sums, next + i);
                EACH store(NORMALISED(i + s * VEC), to + i + s * VEC);
            }
        } else {
            FOR_EACH(i, n)
            if (IS_ROW)
                EACH store(NORMALISED(i + s * VEC), to + i + s * VEC);
        }
    }
}
