/* rows_neon.c: the loops for 64-bit ARM, which always has NEON: 32 registers of four floats. */
#define ROWS_VECTOR 16 /* bytes */
#define ROWS_PANEL 4   /* vectors of a tile of floats, of a wide one */
#define ROWS_WIDE 4
#define ROWS_PAIR_ROWS 6
#define ROWS_BY_ELEMENT /* FMLA by an element of a register: a number of A is never spread over one */
#include "backend/cpu/rows.inc.h"

const limn_rows limn_rows_neon = ROWS("neon", LIMN_ISA_NEON);
