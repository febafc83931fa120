/* gather.cl - rows that are moved: embedding lookup, writing keys and values to a cache, and making them out of
 * expanded latents. OpenCL C 1.2, no extension.
 *
 * `embedding`: outputs [m, n] are rows of a table [m, n], row r the one number (r STEP) mod m; a group of
 * LANES work-items takes ROWS of them at once, ROWS dividing m. Range: {LANES x m / ROWS}. `kv_write`: of
 * rows [batch, tokens, (heads + kv_heads) HEAD_DIM + kv_heads V_DIM] of queries, keys and values, the keys go
 * to [batch, kv_heads, tokens, HEAD_DIM] and the values, where V_DIM is not 0, to [batch, kv_heads, tokens,
 * V_DIM] after them, in the format of the cache; a group takes ROWS tokens, one after the other. Range:
 * {LANES x groups of tokens, batch}. `kv_quantise`: likewise to an int8 cache; TEAM lanes quantise the row of
 * a head, whose scale, max |x| / 127, goes to [batch, kv_heads, tokens]. `kv_expand` comes last here; its range:
 * {LANES x groups of ROWS tokens, groups of HEADS heads, batch}. VEC divides n, HEAD_DIM, V_DIM, SHARED_DIM
 * and pitches. */
#ifndef FORMAT /* what is read; 0: f32, 1: f16, 2: bf16 */
#define FORMAT 0
#endif
#ifndef WRITTEN /* likewise, and 3: int8 */
#define WRITTEN FORMAT
#endif
#ifndef HEAD_DIM
#define HEAD_DIM 128
#endif
#ifndef V_DIM
#define V_DIM 128
#endif
#ifndef SHARED_DIM /* of kv_expand alone: elements of a key that are the same for all heads */
#define SHARED_DIM 0
#endif
#ifndef HEADS /* of kv_expand: those of a group */
#define HEADS 1
#endif
#ifndef ROWS
#define ROWS 4
#endif
#ifndef VEC
#define VEC 16
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef TEAM /* a power of two, at most LANES */
#define TEAM 1
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
typedef char charv;
#define CONVERT_CHAR(v)   ((char)(v))
#define AS_INT(v)         as_int(v)
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
typedef JOIN(char, VEC) charv;
#define CONVERT_CHAR(v)   JOIN(convert_char, VEC)(v)
#define AS_INT(v)         JOIN(as_int, VEC)(v)
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
#if WRITTEN == 0
typedef float written;
static void store(const floatv v, global written *p) {
    PUT(v, (global floatv *)p);
}
#elif WRITTEN == 1
typedef half written;
static void store(const floatv v, global written *p) {
    ushortv bits;
    STORE_HALF(v, (half *)&bits);
    PUT(bits, (global ushortv *)p);
}
#elif WRITTEN == 3
typedef char written;
static void store(const floatv v, global written *p) { /* to the nearest whole number; |v| is at most 127 */
    const float round_bits = 12582912.0f;              /* adding 1.5 x 2^23 rounds to an integer */
    PUT(CONVERT_CHAR(AS_INT(v + round_bits) - as_int(round_bits)), (global charv *)p);
}
#else
typedef ushort written;
static void store(const floatv v, global written *p) { /* to nearest even; a NaN stays one */
    const uintv bits = AS_UINT(v);
    const uintv rounded = bits + 0x7fffu + (bits >> 16 & 1u), quiet = bits | 0x400000u;
    PUT(CONVERT_USHORT(select(rounded, quiet, IS_NAN(v)) >> 16), (global ushortv *)p);
}
#endif

kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
embedding(global written *restrict outputs, const ulong outputs_offset, global const stored *restrict table,
          const ulong table_offset, const uint m, const uint n, const uint step) {
    global const stored *from[ROWS];
    global written *to = outputs + outputs_offset + get_group_id(0) * (ulong)ROWS * n;

#pragma unroll
    for (uint r = 0; r < ROWS; r++)
        from[r] = table + table_offset + (get_group_id(0) * (ulong)ROWS + r) * step % m * n;
    for (uint i = get_local_id(0) * VEC; i < n; i += LANES * VEC)
#pragma unroll
        for (uint r = 0; r < ROWS; r++)
            store(load(from[r] + i), to + r * (ulong)n + i);
}

/* From `heads` heads of `size` elements, side by side, to places `pitch` elements apart. */
static void write_heads(global written *to, const ulong pitch, global const stored *from, const uint heads,
                        const uint size) {
    for (uint i = get_local_id(0) * VEC; i < heads * size; i += LANES * VEC)
        store(load(from + i), to + i / size * pitch + i % size);
}

/* Of a cache's line of one head to the next one's: key_pitch and value_pitch elements. */
kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
kv_write(global written *restrict keys, const ulong keys_offset, global const stored *restrict inputs,
         const ulong inputs_offset,
#if V_DIM
         global written *restrict values, const ulong values_offset,
#endif
         const uint tokens, const uint heads, const uint kv_heads, const ulong from_pitch,
         const ulong key_pitch
#if V_DIM
         ,
         const ulong value_pitch
#endif
) {
    const uint first = get_group_id(0) * ROWS, end = min(first + ROWS, tokens), batch = get_group_id(1);

    keys += keys_offset + (ulong)batch * kv_heads * key_pitch;
#if V_DIM
    values += values_offset + (ulong)batch * kv_heads * value_pitch;
#endif
    for (uint token = first; token < end; token++) {
        global const stored *row = inputs + inputs_offset + ((ulong)batch * tokens + token) * from_pitch;
        write_heads(keys + (ulong)token * HEAD_DIM, key_pitch, row + heads * HEAD_DIM, kv_heads, HEAD_DIM);
#if V_DIM
        write_heads(values + (ulong)token * V_DIM, value_pitch, row + (heads + kv_heads) * HEAD_DIM, kv_heads,
                    V_DIM);
#endif
    }
}

#if WRITTEN == 3
static float maximum_of(const floatv v) {
#if VEC == 1
    return v;
#elif VEC == 2
    return max(v.x, v.y);
#elif VEC == 4
    return max(max(v.x, v.y), max(v.z, v.w));
#else
#if VEC == 16
    const float8 a = max(v.lo, v.hi);
#else
    const float8 a = v;
#endif
    const float4 b = max(a.lo, a.hi);
    return max(max(b.x, b.y), max(b.z, b.w));
#endif
}

/* The largest value of a lane's team. All lanes must be here. */
static float team_maximum(float value, local float *part) {
#if TEAM > 1
    const uint lane = get_local_id(0);
    for (uint apart = TEAM / 2; apart > 0; apart /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        part[lane] = value;
        barrier(CLK_LOCAL_MEM_FENCE);
        value = max(value, part[lane ^ apart]);
    }
#endif
    (void)part;
    return value;
}

/* As write_heads, each head with a scale of its own, `scale_pitch` from one to the next one's. To be called
 * from one place: PoCL shares the local memory of a function that is not inlined among its threads. */
static void quantise_heads(global written *to, const ulong pitch, global float *scales,
                           const ulong scale_pitch, global const stored *from, const uint heads,
                           const uint size, local float *part) {
    const uint team = get_local_id(0) / TEAM, lane = get_local_id(0) % TEAM;
    for (uint first = 0; first < heads; first += LANES / TEAM) {
        const uint head = min(first + team, heads - 1); /* teams that have none left look on */
        global const stored *row = from + head * size;
        floatv most = 0.0f;
        for (uint i = lane * VEC; i < size; i += TEAM * VEC)
            most = max(most, fabs(load(row + i)));
        const float largest = team_maximum(maximum_of(most), part);
        const float steps = largest > 0.0f ? 127.0f / largest : 0.0f;
        if (first + team < heads) {
            for (uint i = lane * VEC; i < size; i += TEAM * VEC)
                store(load(row + i) * steps, to + head * pitch + i);
            if (lane == 0)
                scales[head * scale_pitch] = largest / 127.0f;
        }
    }
}

#define TENSORS (V_DIM ? 2 : 1)

/* Pitches as those of kv_write; of scales too. */
kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
kv_quantise(global written *restrict keys, const ulong keys_offset, global const stored *restrict inputs,
            const ulong inputs_offset,
#if V_DIM
            global written *restrict values, const ulong values_offset,
#endif
            global float *restrict key_scales, const ulong key_scales_offset,
#if V_DIM
            global float *restrict value_scales, const ulong value_scales_offset,
#endif
            const uint tokens, const uint heads, const uint kv_heads, const ulong from_pitch,
            const ulong key_pitch, const ulong key_scale_pitch
#if V_DIM
            ,
            const ulong value_pitch, const ulong value_scale_pitch
#endif
) {
    local float part[LANES];
    const uint first = get_group_id(0) * ROWS, end = min(first + ROWS, tokens), batch = get_group_id(1);
    const ulong line = (ulong)batch * kv_heads;

    keys += keys_offset + line * key_pitch;
    key_scales += key_scales_offset + line * key_scale_pitch;
#if V_DIM
    values += values_offset + line * value_pitch;
    value_scales += value_scales_offset + line * value_scale_pitch;
#endif
    for (uint i = 0; i < (end - first) * TENSORS; i++) {
        const uint token = first + i / TENSORS;
        global const stored *row = inputs + inputs_offset + ((ulong)batch * tokens + token) * from_pitch;
        global written *to = keys + (ulong)token * HEAD_DIM;
        global float *scales = key_scales + token;
        ulong pitch = key_pitch, scale_pitch = key_scale_pitch;
        uint size = HEAD_DIM;
        row += heads * HEAD_DIM;
#if V_DIM
        if (i % TENSORS == 1) {
            to = values + (ulong)token * V_DIM;
            scales = value_scales + token;
            pitch = value_pitch;
            scale_pitch = value_scale_pitch;
            size = V_DIM;
            row += kv_heads * HEAD_DIM;
        }
#endif
        quantise_heads(to, pitch, scales, scale_pitch, row, kv_heads, size, part);
    }
}
#endif

#if SHARED_DIM
#define OWN_DIM (HEAD_DIM - SHARED_DIM)

static void copy_part(global written *to, global const stored *from, const uint size) {
    for (uint i = get_local_id(0) * VEC; i < size; i += LANES * VEC)
        store(load(from + i), to + i);
}

/* Rows of `inputs` hold for each head OWN_DIM elements of its key and V_DIM of its value; those of `shared` are the
 * rest of every head's key. */
kernel WIDE_VECTORS __attribute__((reqd_work_group_size(LANES, 1, 1))) void
kv_expand(global written *restrict keys, const ulong keys_offset, global const stored *restrict inputs,
          const ulong inputs_offset, global const stored *restrict shared, const ulong shared_offset,
          global written *restrict values, const ulong values_offset, const ulong key_pitch, const ulong from_pitch,
          const ulong shared_pitch, const ulong value_pitch, const uint tokens, const uint heads) {
    const uint first = get_group_id(0) * ROWS, end = min(first + ROWS, tokens), batch = get_group_id(2);
    const uint first_head = get_group_id(1) * HEADS, end_head = min(first_head + HEADS, heads);

    keys += keys_offset + (ulong)batch * heads * key_pitch;
    values += values_offset + (ulong)batch * heads * value_pitch;
    for (uint token = first; token < end; token++) {
        const ulong row = (ulong)batch * tokens + token;
        global const stored *from = inputs + inputs_offset + row * from_pitch;
        global const stored *rest = shared + shared_offset + row * shared_pitch;
        for (uint head = first_head; head < end_head; head++) {
            global const stored *part = from + head * (OWN_DIM + V_DIM);
            global written *key = keys + head * key_pitch + (ulong)token * HEAD_DIM;
            copy_part(key, part, OWN_DIM);
            copy_part(key + OWN_DIM, rest, SHARED_DIM);
            copy_part(values + head * value_pitch + (ulong)token * V_DIM, part + OWN_DIM, V_DIM);
        }
    }
}
#endif
