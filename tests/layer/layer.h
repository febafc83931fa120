/* An OpenCL layer that plants faults and rewrites what a driver tells, for tests.
 *
 * OPENCL_LAYERS=/path/libbm_fault_layer.so program ...
 *
 * Environment, read when the loader starts the layer:
 *   BM_LAYER_FAIL=clName:N[+][:CODE],...  the N-th call of clName fails with CODE (-5, CL_OUT_OF_RESOURCES,
 * unless given) without reaching the driver; with + every call from the N-th on fails. A failing release
 * still releases. BM_LAYER_COUNT=PATH     at exit writes a line "clName calls" for each function that was
 * called, then "live KIND n" for each kind of object created and not released. A forked child that exits
 * normally writes too: the last one wins. BM_LAYER_DEVICE_NAME=TEXT, BM_LAYER_VENDOR=TEXT,
 * BM_LAYER_TYPE=cpu|gpu|accelerator BM_LAYER_PCI=0000:3b:00.0   answers cl_khr_pci_bus_info and adds it to
 * CL_DEVICE_EXTENSIONS BM_LAYER_MEMORY=BYTES   global memory; the largest allocation is a quarter of it. Both
 * are enforced: CL_INVALID_BUFFER_SIZE and CL_MEM_OBJECT_ALLOCATION_FAILURE. BM_LAYER_TWO_PLATFORMS=NAME the
 * first platform is shown once more at the end of the list, under this name, as platform and devices of their
 * own. "1" stands for "Second Platform". Its handles are the layer's own and are translated on entry;
 * contexts, queues and what follows are the driver's. Queries that lead back from those to a device
 * (clGetContextInfo, clGetCommandQueueInfo, clGetProgramInfo) tell the first platform's handle.
 *   BM_LAYER_FROM=PATH      calls are counted, and fail, only from when this file exists: a test makes it
 * when the program has come to the stage in question. BM_LAYER_TARGET=all|first|second   which of the two the
 * rewriting (name, vendor, type, PCI, memory) is for; all unless given. With TYPE=gpu and TARGET=second a
 * machine without a GPU shows a CPU and a GPU. BM_LAYER_SPOIL=N[+][:WORD]   the data of the N-th
 * clEnqueueReadBuffer (and later ones with +) comes back wrong: the sign bit of each 4-byte word is flipped
 * (each f32 changes its sign, of f16 every second value), or of the one word numbered WORD from 0. To the
 * program this is what a kernel that computed wrongly looks like. Such a read is made blocking.
 *
 * A variable with a bad value stops the program at once (abort), so that no test passes for a wrong reason.
 */
#ifndef BM_TESTS_LAYER_H
#define BM_TESTS_LAYER_H

/* For tests in the same process, found with dlsym in the loaded layer. */

/* "bm_fault_layer_reset": reads the environment anew and zeroes the counts of calls. Objects stay counted. */
typedef void (*bm_fault_layer_reset_function)(void);
/* "bm_fault_layer_calls": how often the function was called since; -1 for a name that is not intercepted. */
typedef long (*bm_fault_layer_calls_function)(const char *name);
/* "bm_fault_layer_name": names of the intercepted functions by index, NULL past the end. */
typedef const char *(*bm_fault_layer_name_function)(unsigned index);
/* "bm_fault_layer_live": objects of all kinds created and not yet released. */
typedef long (*bm_fault_layer_live_function)(void);

#endif
