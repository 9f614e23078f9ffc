// Sums, means, largest and smallest over one run of axes, seen as (outer, n, inner); softmax along the last axis.
// Long sums are added up in blocks, so that a sum over millions loses no more digits than one over hundreds.

enum { SUM, MEAN, MAX, MIN };

#define BLOCK 1024
#define COLUMNS 16

struct reduce {
  const float *x;
  float *y;
  i32 outer, n, inner;
  i32 kind;
  i32 per_task; // outer rows when inner is 1, else blocks of COLUMNS columns, counted over all outer rows
};

static float row_sum(const float *x, i32 n) {
  double total = 0;
  for (i32 from = 0; from < n; from += BLOCK) {
    const i32 to = min(n, from + BLOCK);
    v128 s0 = SPLAT(0.0f), s1 = s0, s2 = s0, s3 = s0;
    i32 i = from;
    for (; i + 16 <= to; i += 16) {
      s0 = ADD(s0, wasm_v128_load(x + i));
      s1 = ADD(s1, wasm_v128_load(x + i + 4));
      s2 = ADD(s2, wasm_v128_load(x + i + 8));
      s3 = ADD(s3, wasm_v128_load(x + i + 12));
    }
    for (; i + 4 <= to; i += 4) s0 = ADD(s0, wasm_v128_load(x + i));
    float s = lane_sum(ADD(ADD(s0, s1), ADD(s2, s3)));
    for (; i < to; i++) s += x[i];
    total += s;
  }
  return (float)total;
}

static inline v128 extreme(v128 a, v128 b, i32 kind) { return kind == MAX ? wasm_f32x4_max(a, b) : wasm_f32x4_min(a, b); }

static float row_extreme(const float *x, i32 n, i32 kind) {
  v128 m = wasm_v128_load32_splat(x);
  i32 i = 0;
  for (; i + 4 <= n; i += 4) m = extreme(m, wasm_v128_load(x + i), kind);
  for (; i < n; i++) m = extreme(m, wasm_v128_load32_splat(x + i), kind);
  m = extreme(m, wasm_i64x2_shuffle(m, m, 1, 0), kind);
  m = extreme(m, wasm_i32x4_shuffle(m, m, 1, 0, 3, 2), kind);
  return wasm_f32x4_extract_lane(m, 0);
}

// Four columns at once down n rows. The last block of columns may be narrower: it is read value by value.
static v128 column_load(const float *x, i32 width) { return width >= 4 ? wasm_v128_load(x) : load_some(x, width); }

static v128 columns4(const float *x, i32 n, i32 inner, i32 width, i32 kind) {
  if (kind == MAX || kind == MIN) {
    v128 m = column_load(x, width);
    for (i32 i = 1; i < n; i++) m = extreme(m, column_load(x + (usize)i * inner, width), kind);
    return m;
  }
  v128 total = SPLAT(0.0f);
  for (i32 from = 0; from < n; from += 64) {
    v128 s = SPLAT(0.0f);
    for (i32 i = from; i < min(n, from + 64); i++) s = ADD(s, column_load(x + (usize)i * inner, width));
    total = ADD(total, s);
  }
  return total;
}

static void columns16_sum(const float *x, i32 n, i32 inner, float *y) {
  v128 t0 = SPLAT(0.0f), t1 = t0, t2 = t0, t3 = t0;
  for (i32 from = 0; from < n; from += 64) {
    v128 s0 = SPLAT(0.0f), s1 = s0, s2 = s0, s3 = s0;
    const i32 to = min(n, from + 64);
    const float *row = x + (usize)from * inner;
    for (i32 i = from; i < to; i++, row += inner) {
      s0 = ADD(s0, wasm_v128_load(row));
      s1 = ADD(s1, wasm_v128_load(row + 4));
      s2 = ADD(s2, wasm_v128_load(row + 8));
      s3 = ADD(s3, wasm_v128_load(row + 12));
    }
    t0 = ADD(t0, s0);
    t1 = ADD(t1, s1);
    t2 = ADD(t2, s2);
    t3 = ADD(t3, s3);
  }
  wasm_v128_store(y, t0);
  wasm_v128_store(y + 4, t1);
  wasm_v128_store(y + 8, t2);
  wasm_v128_store(y + 12, t3);
}

static void reduce_task(const struct reduce *g, i32 task) {
  const i32 n = g->n, inner = g->inner, kind = g->kind;
  if (inner == 1) {
    const i32 last = min(g->outer, (task + 1) * g->per_task);
    for (i32 row = task * g->per_task; row < last; row++) {
      const float *x = g->x + (usize)row * n;
      g->y[row] = kind == SUM ? row_sum(x, n) : kind == MEAN ? row_sum(x, n) / n : row_extreme(x, n, kind);
    }
    return;
  }
  const i32 blocks = (inner + COLUMNS - 1) / COLUMNS, last = min(g->outer * blocks, (task + 1) * g->per_task);
  for (i32 at = task * g->per_task; at < last; at++) {
    const i32 o = at / blocks, from = at % blocks * COLUMNS, to = min(inner, from + COLUMNS);
    const float *x = g->x + (usize)o * n * inner;
    float *y = g->y + (usize)o * inner;
    if (to - from == COLUMNS && (kind == SUM || kind == MEAN)) columns16_sum(x + from, n, inner, y + from);
    else
      for (i32 c = from; c < to; c += 4) {
        v128 s = columns4(x + c, n, inner, to - c, kind);
        if (to - c >= 4) wasm_v128_store(y + c, s);
        else store_some(y + c, s, to - c);
      }
    if (kind == MEAN)
      for (i32 c = from; c < to; c++) y[c] /= n;
  }
}

// The largest of a row for softmax's sake: one instruction a step, which passes over NaN. Softmax of a row with a NaN is
// NaN all the same, by the exponential of that element.
static float row_peak(const float *x, i32 n) {
  v128 m0 = wasm_v128_load32_splat(x), m1 = m0, m2 = m0, m3 = m0;
  i32 i = 0;
  for (; i + 16 <= n; i += 16) {
    m0 = wasm_f32x4_pmax(m0, wasm_v128_load(x + i));
    m1 = wasm_f32x4_pmax(m1, wasm_v128_load(x + i + 4));
    m2 = wasm_f32x4_pmax(m2, wasm_v128_load(x + i + 8));
    m3 = wasm_f32x4_pmax(m3, wasm_v128_load(x + i + 12));
  }
  for (; i < n; i++) m0 = wasm_f32x4_pmax(m0, wasm_v128_load32_splat(x + i));
  v128 m = wasm_f32x4_pmax(wasm_f32x4_pmax(m0, m1), wasm_f32x4_pmax(m2, m3));
  m = wasm_f32x4_pmax(m, wasm_i64x2_shuffle(m, m, 1, 0));
  m = wasm_f32x4_pmax(m, wasm_i32x4_shuffle(m, m, 1, 0, 3, 2));
  return wasm_f32x4_extract_lane(m, 0);
}

struct softmax {
  const float *x;
  float *y;
  i32 rows, n, per_task;
};

static void softmax_task(const struct softmax *g, i32 task, const float *k) {
  const i32 n = g->n, last = min(g->rows, (task + 1) * g->per_task);
  for (i32 row = task * g->per_task; row < last; row++) {
    const float *x = g->x + (usize)row * n;
    float *y = g->y + (usize)row * n;
    v128 m = wasm_f32x4_splat(row_peak(x, n));
    i32 i = 0;
    for (; i + 4 <= n; i += 4) wasm_v128_store(y + i, vec_exp(k, SUB(wasm_v128_load(x + i), m)));
    if (i < n) store_some(y + i, vec_exp(k, SUB(load_some(x + i, n - i), m)), n - i);
    v128 scale = wasm_f32x4_splat(1.0f / row_sum(y, n));
    for (i = 0; i + 4 <= n; i += 4) wasm_v128_store(y + i, MUL(wasm_v128_load(y + i), scale));
    if (i < n) store_some(y + i, MUL(load_some(y + i, n - i), scale), n - i);
  }
}
