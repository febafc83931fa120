/* AMX for CPUs that lack it: a handler of SIGILL that decodes the tile instructions at the program counter
 * and does their work, as Intel's Software Developer's Manual has it. Memory is read when the instruction is
 * met, so what a compiler failed to store before it is missed here as there. */
#ifndef TILES_H
#define TILES_H

#include <stdbool.h>
#include <stdint.h>

/* From now on in this process; each thread has tiles of its own. A CPU with AMX that the kernel gives to the
 * process never comes here. */
void tiles_emulate(void);
/* What a CPU would have raised a fault for, the first of it, or "". Reading it forgets it. */
const char *tiles_problem(void);
uint64_t tiles_instructions(void); /* emulated so far, by all threads */

#endif
