// The WebAssembly backend's own kernels. They work in place in the linear memory of @tensorflow/tfjs-backend-wasm, which they
// import, and have no data, no heap and no library of their own: a thread's only private memory is the stack and the scratch
// it is given. Compiled by build.sh; the compiled files are committed, since nobody who runs the lab has the compiler.

#include <wasm_simd128.h>

typedef int i32;
typedef unsigned int u32;
typedef __SIZE_TYPE__ usize;
typedef v128_t v128;

#define EXPORT(name) __attribute__((export_name(#name))) name
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))

// Two builds of one source: a fused multiply-add rounds once and is faster where the processor and the engine know it.
#ifdef __wasm_relaxed_simd__
#define MADD(a, b, c) wasm_f32x4_relaxed_madd(a, b, c)
#else
#define MADD(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)
#endif

#include "gemm.h"
#include "elementwise.h"
#include "reduce.h"
#include "copy.h"
#include "pool.h"

// The numbers are known to src-main/jobs/backend/kernel-context.ts.
static void run_task(i32 op, const void *args, i32 task, float *scratch) {
  const float *coefficients = scratch + GEMM_SCRATCH;
  switch (op) {
    case 0: return gemm_task(args, task, scratch);
    case 1: return unary_task(args, task, coefficients);
    case 2: return binary_task(args, task);
    case 3: return select_task(args, task);
    case 4: return reduce_task(args, task);
    case 5: return softmax_task(args, task, coefficients);
    case 6: return copy_task(args, task);
  }
}

i32 EXPORT(scratch_bytes)(void) { return (GEMM_SCRATCH + COEFFICIENTS) * 4; }

/** To be called once for each thread's scratch, before it runs anything. */
void EXPORT(prepare)(float *scratch) { write_coefficients(scratch + GEMM_SCRATCH); }
