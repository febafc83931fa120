/* What clang's target nvptx64 lacks of OpenCL C's built-in functions, as far as kernels with NVIDIA's instructions
 * call them: so that they can be compiled and assembled without a driver. */
#define barrier(flags)      __nvvm_bar_sync(0)
#define SPECIAL(name, i)                                                                                     \
    ((i) == 0   ? (uint)__nvvm_read_ptx_sreg_##name##_x()                                                    \
     : (i) == 1 ? (uint)__nvvm_read_ptx_sreg_##name##_y()                                                    \
                : (uint)__nvvm_read_ptx_sreg_##name##_z())
#define get_local_id(i)    SPECIAL(tid, i)
#define get_local_size(i)  SPECIAL(ntid, i)
#define get_group_id(i)    SPECIAL(ctaid, i)
#define get_num_groups(i)  SPECIAL(nctaid, i)
#define get_global_id(i)   (get_group_id(i) * get_local_size(i) + get_local_id(i))
#define get_global_size(i) (get_num_groups(i) * get_local_size(i))

static inline __attribute__((overloadable)) uint min(uint a, uint b) {
    return a < b ? a : b;
}
static inline float fmax(float a, float b) {
    return __builtin_fmaxf(a, b);
}
static inline float fmin(float a, float b) {
    return __builtin_fminf(a, b);
}
static inline __attribute__((overloadable)) float rint(float x) {
    return __builtin_rintf(x);
}
static inline __attribute__((overloadable)) float4 rint(float4 x) {
    return (float4)(rint(x.x), rint(x.y), rint(x.z), rint(x.w));
}
#define fabs(x)        __builtin_fabsf(x)
#define isnan(x)       __builtin_isnan(x)
#define convert_int(x) ((int)(x))
#define convert_int4(x)   __builtin_convertvector(x, int4)
#define convert_float4(x) __builtin_convertvector(x, float4)
#define vload4(i, p)      (((global const float4 *)(p))[i])
#define vstore4(v, i, p)  (((global float4 *)(p))[i] = (v))
#define vload_half(i, p)      __builtin_load_halff((p) + (i))
#define vstore_half(v, i, p)  __builtin_store_halff(v, (p) + (i))
#define vstorea_half2(v, i, p)                                                                               \
    (__builtin_store_halff((v).x, (p) + 2 * (i)), __builtin_store_halff((v).y, (p) + 2 * (i) + 1))
