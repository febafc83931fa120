/* Decodes two cold tensors and a hot one, whatever their format, into f32: what a device finds in its buffers.
 * ELEMENT: enum bm_element. */
#if ELEMENT == 0
#define STORED float
#define DECODE(data, i) (data)[i]
#elif ELEMENT == 1
#define STORED half
#define DECODE(data, i) vload_half((i), (data))
#elif ELEMENT == 2
#define STORED ushort
#define DECODE(data, i) as_float((uint)(data)[i] << 16)
#elif ELEMENT == 3
#define STORED char
#define DECODE(data, i) (float)(data)[i]
#else
#define STORED uchar
#define DECODE(data, i) (float)(((data)[(i) / 2] >> ((i) % 2 * 4) & 15) - 8)
#endif

kernel void readback(global const STORED *first, ulong first_offset, global const STORED *second,
                     ulong second_offset, global const STORED *hot, global float *outputs, uint first_count,
                     uint second_count) {
    const uint i = get_global_id(0);
    if (i < first_count)
        outputs[i] = DECODE(first, first_offset + i);
    else if (i < first_count + second_count)
        outputs[i] = DECODE(second, second_offset + i - first_count);
    else
        outputs[i] = DECODE(hot, i - first_count - second_count);
}
