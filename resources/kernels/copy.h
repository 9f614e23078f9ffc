// One copy between two strided views of equal shape: transpose, slice, split, concatenate, tile and pad are nothing else.
// The caller has merged axes and ordered them; the innermost one is contiguous in the target.

#define COPY_RANK 8

struct copy {
  const char *x;
  char *y;
  i32 element; // bytes: 1 or 4
  i32 crossed; // 1: the last axis but one is contiguous in the source, so blocks of 4 x 4 are turned
  i32 rank; // of the axes outside the innermost, or outside the innermost two when crossed
  i32 rows, per_task;
  i32 n, x_step; // the innermost axis: values, and the source's stride (1 contiguous, 0 one value repeated)
  i32 m, y_step; // when crossed: the last axis but one, and the target's stride
  i32 shape[COPY_RANK], x_strides[COPY_RANK], y_strides[COPY_RANK];
};

static void copy_words(const i32 *x, i32 *y, i32 n) {
  i32 i = 0;
  for (; i + 4 <= n; i += 4) wasm_v128_store(y + i, wasm_v128_load(x + i));
  for (; i < n; i++) y[i] = x[i];
}

static void copy_row(const struct copy *g, const char *x, char *y) {
  const i32 n = g->n, step = g->x_step;
  if (g->element == 4) {
    const i32 *from = (const i32 *)x;
    i32 *to = (i32 *)y;
    if (step == 1) {
      if (n > 128) __builtin_memcpy(to, from, (usize)n * 4);
      else copy_words(from, to, n);
    } else if (step == 0) {
      v128 v = wasm_v128_load32_splat(from);
      i32 i = 0;
      for (; i + 4 <= n; i += 4) wasm_v128_store(to + i, v);
      for (; i < n; i++) to[i] = *from;
    } else
      for (i32 i = 0; i < n; i++) to[i] = from[(usize)i * step];
  } else if (step == 1) __builtin_memcpy(y, x, n);
  else if (step == 0) __builtin_memset(y, *x, n);
  else
    for (i32 i = 0; i < n; i++) y[i] = x[(usize)i * step];
}

// y[i * y_step + j] = x[j * x_step + i] for i < m, j < n.
static void copy_crossed(const struct copy *g, const i32 *x, i32 *y) {
  const i32 n = g->n, m = g->m, xs = g->x_step, ys = g->y_step;
  i32 i = 0;
  for (; i + 4 <= m; i += 4) {
    i32 j = 0;
    for (; j + 4 <= n; j += 4) {
      const i32 *from = x + (usize)j * xs + i;
      i32 *to = y + (usize)i * ys + j;
      v128 r0 = wasm_v128_load(from), r1 = wasm_v128_load(from + xs);
      v128 r2 = wasm_v128_load(from + 2 * xs), r3 = wasm_v128_load(from + 3 * xs);
      TRANSPOSE4(r0, r1, r2, r3, t0, t1, t2, t3)
      wasm_v128_store(to, t0);
      wasm_v128_store(to + ys, t1);
      wasm_v128_store(to + 2 * ys, t2);
      wasm_v128_store(to + 3 * ys, t3);
    }
    for (; j < n; j++)
      for (i32 k = 0; k < 4; k++) y[(usize)(i + k) * ys + j] = x[(usize)j * xs + i + k];
  }
  for (; i < m; i++)
    for (i32 j = 0; j < n; j++) y[(usize)i * ys + j] = x[(usize)j * xs + i];
}

static void copy_task(const struct copy *g, i32 task) {
  const i32 first = task * g->per_task, last = min(g->rows, first + g->per_task), size = g->element;
  i32 index[COPY_RANK];
  i32 x = 0, y = 0; // in elements
  for (i32 axis = g->rank - 1, rest = first; axis >= 0; axis--) {
    index[axis] = rest % g->shape[axis];
    rest /= g->shape[axis];
    x += index[axis] * g->x_strides[axis];
    y += index[axis] * g->y_strides[axis];
  }
  for (i32 row = first; row < last; row++) {
    const char *from = g->x + (usize)x * size;
    char *to = g->y + (usize)y * size;
    if (g->crossed) copy_crossed(g, (const i32 *)from, (i32 *)to);
    else copy_row(g, from, to);
    for (i32 axis = g->rank - 1; axis >= 0; axis--) {
      x += g->x_strides[axis];
      y += g->y_strides[axis];
      if (++index[axis] < g->shape[axis]) break;
      x -= index[axis] * g->x_strides[axis];
      y -= index[axis] * g->y_strides[axis];
      index[axis] = 0;
    }
  }
}
