// C = op(A) op(B) in float32: packed panels and a 4 x 8 register tile (eight sums, two of B, one of A, one product: what
// the 16 vector registers of x86-64 hold without spilling). Both transposes are dealt with while packing, so all four forms
// run at one speed. An element of C is summed in the same order whatever the number of threads: results do not depend on it.

#define MR 4
#define NR 8
#define KC 256
#define MC 96
#define NC 256

// Floats of scratch that one thread needs: a block of A, a block of B, a tile for ragged edges.
#define GEMM_SCRATCH (MC * KC + KC * NC + MR * NR)

struct gemm {
  const float *a, *b;
  float *c;
  i32 m, n, k;
  i32 lda, ldb; // floats from one stored row to the next
  i32 trans_a, trans_b; // 1: stored transposed, A as K x M, B as N x K
  const i32 *offsets; // per batch entry the offset of A and of B in floats; 0: the strides below
  i32 stride_a, stride_b, stride_c;
  i32 m_slab, n_slab; // the part of C that is one task; multiples of MR and NR
  i32 m_slabs, n_slabs;
};

#define TRANSPOSE4(r0, r1, r2, r3, t0, t1, t2, t3)                 \
  v128 lo01 = wasm_i32x4_shuffle(r0, r1, 0, 4, 1, 5);              \
  v128 hi01 = wasm_i32x4_shuffle(r0, r1, 2, 6, 3, 7);              \
  v128 lo23 = wasm_i32x4_shuffle(r2, r3, 0, 4, 1, 5);              \
  v128 hi23 = wasm_i32x4_shuffle(r2, r3, 2, 6, 3, 7);              \
  v128 t0 = wasm_i64x2_shuffle(lo01, lo23, 0, 2);                  \
  v128 t1 = wasm_i64x2_shuffle(lo01, lo23, 1, 3);                  \
  v128 t2 = wasm_i64x2_shuffle(hi01, hi23, 0, 2);                  \
  v128 t3 = wasm_i64x2_shuffle(hi01, hi23, 1, 3);

// Rows i0 .. i0+rows of op(A), columns k0 .. k0+kc, into panels of MR rows, column by column; the last panel is narrower.
static void pack_a(const struct gemm *g, const float *a, i32 i0, i32 rows, i32 k0, i32 kc, float *to) {
  const i32 lda = g->lda;
  for (i32 i = 0; i < rows; i += MR) {
    const i32 mr = min(MR, rows - i);
    if (g->trans_a) {
      const float *from = a + (usize)k0 * lda + i0 + i;
      if (mr == MR)
        for (i32 k = 0; k < kc; k++, from += lda, to += MR) wasm_v128_store(to, wasm_v128_load(from));
      else
        for (i32 k = 0; k < kc; k++, from += lda, to += mr)
          for (i32 r = 0; r < mr; r++) to[r] = from[r];
    } else {
      const float *from = a + (usize)(i0 + i) * lda + k0;
      i32 k = 0;
      if (mr == MR)
        for (; k + 4 <= kc; k += 4, to += 4 * MR) {
          v128 r0 = wasm_v128_load(from + k), r1 = wasm_v128_load(from + lda + k);
          v128 r2 = wasm_v128_load(from + 2 * lda + k), r3 = wasm_v128_load(from + 3 * lda + k);
          TRANSPOSE4(r0, r1, r2, r3, t0, t1, t2, t3)
          wasm_v128_store(to, t0);
          wasm_v128_store(to + 4, t1);
          wasm_v128_store(to + 8, t2);
          wasm_v128_store(to + 12, t3);
        }
      for (; k < kc; k++, to += mr)
        for (i32 r = 0; r < mr; r++) to[r] = from[r * lda + k];
    }
  }
}

// Rows k0 .. k0+kc of op(B), columns j0 .. j0+cols, into panels of NR columns, row by row; the last panel is filled with zeros.
static void pack_b(const struct gemm *g, const float *b, i32 k0, i32 kc, i32 j0, i32 cols, float *to) {
  const i32 ldb = g->ldb;
  for (i32 j = 0; j < cols; j += NR) {
    const i32 nr = min(NR, cols - j);
    if (nr < NR) {
      for (i32 k = 0; k < kc; k++, to += NR)
        for (i32 c = 0; c < NR; c++)
          to[c] = c >= nr ? 0 : g->trans_b ? b[(usize)(j0 + j + c) * ldb + k0 + k] : b[(usize)(k0 + k) * ldb + j0 + j + c];
    } else if (g->trans_b) {
      const float *from = b + (usize)(j0 + j) * ldb + k0;
      i32 k = 0;
      for (; k + 4 <= kc; k += 4, to += 4 * NR) {
        {
          v128 r0 = wasm_v128_load(from + k), r1 = wasm_v128_load(from + ldb + k);
          v128 r2 = wasm_v128_load(from + 2 * ldb + k), r3 = wasm_v128_load(from + 3 * ldb + k);
          TRANSPOSE4(r0, r1, r2, r3, t0, t1, t2, t3)
          wasm_v128_store(to, t0);
          wasm_v128_store(to + 8, t1);
          wasm_v128_store(to + 16, t2);
          wasm_v128_store(to + 24, t3);
        }
        {
          const float *lower = from + 4 * ldb;
          v128 r0 = wasm_v128_load(lower + k), r1 = wasm_v128_load(lower + ldb + k);
          v128 r2 = wasm_v128_load(lower + 2 * ldb + k), r3 = wasm_v128_load(lower + 3 * ldb + k);
          TRANSPOSE4(r0, r1, r2, r3, t0, t1, t2, t3)
          wasm_v128_store(to + 4, t0);
          wasm_v128_store(to + 12, t1);
          wasm_v128_store(to + 20, t2);
          wasm_v128_store(to + 28, t3);
        }
      }
      for (; k < kc; k++, to += NR)
        for (i32 c = 0; c < NR; c++) to[c] = from[c * ldb + k];
    } else {
      const float *from = b + (usize)k0 * ldb + j0 + j;
      for (i32 k = 0; k < kc; k++, from += ldb, to += NR) {
        wasm_v128_store(to, wasm_v128_load(from));
        wasm_v128_store(to + 4, wasm_v128_load(from + 4));
      }
    }
  }
}

#define ROWS1(X) X(0)
#define ROWS2(X) ROWS1(X) X(1)
#define ROWS3(X) ROWS2(X) X(2)
#define ROWS4(X) ROWS3(X) X(3)

#define ZERO(r) v128 c##r##0 = wasm_f32x4_const_splat(0), c##r##1 = c##r##0;
#define MULTIPLY(r)                             \
  {                                             \
    v128 x = wasm_v128_load32_splat(ap + r);    \
    c##r##0 = MADD(x, b0, c##r##0);             \
    c##r##1 = MADD(x, b1, c##r##1);             \
  }
#define LOAD_ADD(r)                                                   \
  c##r##0 = wasm_f32x4_add(c##r##0, wasm_v128_load(c + r * ldc));     \
  c##r##1 = wasm_f32x4_add(c##r##1, wasm_v128_load(c + r * ldc + 4));
#define STORE(r)                            \
  wasm_v128_store(c + r * ldc, c##r##0);    \
  wasm_v128_store(c + r * ldc + 4, c##r##1);

#define STEP(MRX, ROWS)                                       \
  {                                                           \
    v128 b0 = wasm_v128_load(bp), b1 = wasm_v128_load(bp + 4); \
    ROWS(MULTIPLY)                                            \
    ap += MRX;                                                \
    bp += NR;                                                 \
  }

// One tile: MRX x 8 of C from kc columns of a panel of A and kc rows of a panel of B.
#define TILE(MRX, ROWS)                                                                                        \
  static void tile##MRX(i32 kc, const float *ap, const float *bp, float *c, i32 ldc, i32 accumulate) {         \
    ROWS(ZERO)                                                                                                 \
    /* Unrolled, the loads of several steps would be gathered at the front, and the engine, which keeps the order it is */ \
    /* given, would run out of registers: 33 instead of 50 GFLOP/s. */                                          \
    _Pragma("clang loop unroll(disable)")                                                                      \
    for (i32 k = kc; k; k--) STEP(MRX, ROWS)                                                                   \
    if (accumulate) {                                                                                          \
      ROWS(LOAD_ADD)                                                                                           \
    }                                                                                                          \
    ROWS(STORE)                                                                                                \
  }

TILE(1, ROWS1)
TILE(2, ROWS2)
TILE(3, ROWS3)
TILE(4, ROWS4)

static void tile(i32 mr, i32 kc, const float *ap, const float *bp, float *c, i32 ldc, i32 accumulate) {
  switch (mr) {
    case 4: tile4(kc, ap, bp, c, ldc, accumulate); break;
    case 3: tile3(kc, ap, bp, c, ldc, accumulate); break;
    case 2: tile2(kc, ap, bp, c, ldc, accumulate); break;
    default: tile1(kc, ap, bp, c, ldc, accumulate);
  }
}

// One row times B, stored as it is used: nothing is packed, B is read once.
static void row_times_b(const struct gemm *g, const float *a, const float *b, float *c, i32 j0, i32 j1) {
  const i32 step = g->trans_a ? g->lda : 1, ldb = g->ldb, kn = g->k;
  i32 j = j0;
  for (; j + 16 <= j1; j += 16) {
    v128 s0 = wasm_f32x4_const_splat(0), s1 = s0, s2 = s0, s3 = s0;
    const float *row = b + j, *x = a;
    for (i32 k = 0; k < kn; k++, row += ldb, x += step) {
      v128 v = wasm_v128_load32_splat(x);
      s0 = MADD(v, wasm_v128_load(row), s0);
      s1 = MADD(v, wasm_v128_load(row + 4), s1);
      s2 = MADD(v, wasm_v128_load(row + 8), s2);
      s3 = MADD(v, wasm_v128_load(row + 12), s3);
    }
    wasm_v128_store(c + j, s0);
    wasm_v128_store(c + j + 4, s1);
    wasm_v128_store(c + j + 8, s2);
    wasm_v128_store(c + j + 12, s3);
  }
  for (; j < j1; j++) {
    float s = 0;
    for (i32 k = 0; k < kn; k++) s += a[k * step] * b[(usize)k * ldb + j];
    c[j] = s;
  }
}

static float lane_sum(v128 v) {
  v = wasm_f32x4_add(v, wasm_i64x2_shuffle(v, v, 1, 0));
  return wasm_f32x4_extract_lane(v, 0) + wasm_f32x4_extract_lane(v, 1);
}

// One contiguous row times B stored transposed: dot products, two columns at a time.
static void row_times_bt(const struct gemm *g, const float *a, const float *b, float *c, i32 j0, i32 j1) {
  const i32 ldb = g->ldb, kn = g->k;
  for (i32 j = j0; j < j1; j += 2) {
    const float *p = b + (usize)j * ldb, *q = j + 1 < j1 ? p + ldb : p;
    v128 s0 = wasm_f32x4_const_splat(0), s1 = s0, t0 = s0, t1 = s0;
    i32 k = 0;
    for (; k + 8 <= kn; k += 8) {
      v128 x = wasm_v128_load(a + k), y = wasm_v128_load(a + k + 4);
      s0 = MADD(x, wasm_v128_load(p + k), s0);
      s1 = MADD(y, wasm_v128_load(p + k + 4), s1);
      t0 = MADD(x, wasm_v128_load(q + k), t0);
      t1 = MADD(y, wasm_v128_load(q + k + 4), t1);
    }
    float s = lane_sum(wasm_f32x4_add(s0, s1)), t = lane_sum(wasm_f32x4_add(t0, t1));
    for (; k < kn; k++) {
      s += a[k] * p[k];
      t += a[k] * q[k];
    }
    c[j] = s;
    if (j + 1 < j1) c[j + 1] = t;
  }
}

static void gemm_task(const struct gemm *g, i32 task, float *scratch) {
  const i32 slabs = g->m_slabs * g->n_slabs;
  const i32 batch = task / slabs, in_batch = task % slabs;
  const i32 m0 = in_batch / g->n_slabs * g->m_slab, n0 = in_batch % g->n_slabs * g->n_slab;
  const i32 m1 = min(g->m, m0 + g->m_slab), n1 = min(g->n, n0 + g->n_slab);
  const float *a = g->a + (usize)(g->offsets ? g->offsets[2 * batch] : batch * g->stride_a);
  const float *b = g->b + (usize)(g->offsets ? g->offsets[2 * batch + 1] : batch * g->stride_b);
  float *c = g->c + (usize)batch * g->stride_c;
  const i32 ldc = g->n;

  if (g->m == 1 && !g->trans_b) return row_times_b(g, a, b, c, n0, n1);
  if (g->m == 1 && (!g->trans_a || g->lda == 1)) return row_times_bt(g, a, b, c, n0, n1);

  float *ap = scratch, *bp = scratch + MC * KC, *edge = bp + KC * NC;
  for (i32 n = n0; n < n1; n += NC) {
    const i32 nc = min(NC, n1 - n);
    for (i32 k = 0; k < g->k; k += KC) {
      const i32 kc = min(KC, g->k - k);
      pack_b(g, b, k, kc, n, nc, bp);
      for (i32 m = m0; m < m1; m += MC) {
        const i32 mc = min(MC, m1 - m);
        pack_a(g, a, m, mc, k, kc, ap);
        for (i32 j = 0; j < nc; j += NR) {
          const i32 nr = min(NR, nc - j);
          for (i32 i = 0; i < mc; i += MR) {
            const i32 mr = min(MR, mc - i);
            float *to = c + (usize)(m + i) * ldc + n + j;
            if (nr == NR) tile(mr, kc, ap + i * kc, bp + j * kc, to, ldc, k > 0);
            else {
              tile(mr, kc, ap + i * kc, bp + j * kc, edge, NR, 0);
              for (i32 r = 0; r < mr; r++)
                for (i32 q = 0; q < nr; q++) to[r * ldc + q] = edge[r * NR + q] + (k > 0 ? to[r * ldc + q] : 0);
            }
          }
        }
      }
    }
  }
}
