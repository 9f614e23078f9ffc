// Element by element: functions of one value, of two with broadcasting, and a choice between two.
// exp, log and tanh follow the Cephes library (S. Moshier): argument reduction and a minimax polynomial, within 2 ulp.

#define SPLAT(x) wasm_f32x4_const_splat(x)
#define ADD wasm_f32x4_add
#define SUB wasm_f32x4_sub
#define MUL wasm_f32x4_mul
#define DIV wasm_f32x4_div

static inline v128 vec_exp(v128 x) {
  // Below, even the smallest subnormal is 0; above, infinity. Both are reached by the scaling, and NaN passes through.
  v128 c = wasm_f32x4_max(wasm_f32x4_min(x, SPLAT(89.0f)), SPLAT(-104.0f));
  v128 n = wasm_f32x4_nearest(MUL(c, SPLAT(1.44269504088896341f)));
  v128 r = SUB(SUB(c, MUL(n, SPLAT(0.693359375f))), MUL(n, SPLAT(-2.12194440e-4f)));
  v128 p = SPLAT(1.9875691500e-4f);
  p = MADD(p, r, SPLAT(1.3981999507e-3f));
  p = MADD(p, r, SPLAT(8.3334519073e-3f));
  p = MADD(p, r, SPLAT(4.1665795894e-2f));
  p = MADD(p, r, SPLAT(1.6666665459e-1f));
  p = MADD(p, r, SPLAT(5.0000001201e-1f));
  p = ADD(MADD(p, MUL(r, r), r), SPLAT(1.0f));
  // 2^n in two factors: n reaches from -150 to 128, a float's exponent from -126 to 127.
  v128 whole = wasm_i32x4_trunc_sat_f32x4(n), half = wasm_i32x4_shr(whole, 1), bias = wasm_i32x4_const_splat(127);
  v128 low = wasm_i32x4_shl(wasm_i32x4_add(half, bias), 23);
  v128 high = wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_sub(whole, half), bias), 23);
  return MUL(MUL(p, low), high);
}

static inline v128 vec_log(v128 x) {
  v128 tiny = wasm_f32x4_lt(x, SPLAT(1.17549435e-38f));
  v128 scaled = wasm_v128_bitselect(MUL(x, SPLAT(8388608.0f)), x, tiny);
  v128 e = wasm_i32x4_sub(wasm_u32x4_shr(scaled, 23), wasm_i32x4_const_splat(126));
  e = wasm_i32x4_sub(e, wasm_v128_and(tiny, wasm_i32x4_const_splat(23)));
  v128 m = wasm_v128_or(wasm_v128_and(scaled, wasm_i32x4_const_splat(0x007fffff)), wasm_i32x4_const_splat(0x3f000000)); // [0.5, 1)
  v128 small = wasm_f32x4_lt(m, SPLAT(0.707106781186547524f));
  v128 n = wasm_f32x4_convert_i32x4(wasm_i32x4_add(e, small)); // the mask is -1 where the mantissa is doubled
  m = SUB(ADD(m, wasm_v128_and(m, small)), SPLAT(1.0f));
  v128 z = MUL(m, m), p = SPLAT(7.0376836292e-2f);
  p = MADD(p, m, SPLAT(-1.1514610310e-1f));
  p = MADD(p, m, SPLAT(1.1676998740e-1f));
  p = MADD(p, m, SPLAT(-1.2420140846e-1f));
  p = MADD(p, m, SPLAT(1.4249322787e-1f));
  p = MADD(p, m, SPLAT(-1.6668057665e-1f));
  p = MADD(p, m, SPLAT(2.0000714765e-1f));
  p = MADD(p, m, SPLAT(-2.4999993993e-1f));
  p = MADD(p, m, SPLAT(3.3333331174e-1f));
  v128 y = MUL(MUL(p, m), z);
  y = ADD(y, MUL(n, SPLAT(-2.12194440e-4f)));
  y = SUB(y, MUL(z, SPLAT(0.5f)));
  y = ADD(ADD(m, y), MUL(n, SPLAT(0.693359375f)));
  // log(inf) = inf, log(0) = -inf, log of a negative or of NaN is NaN.
  y = wasm_v128_bitselect(x, y, wasm_f32x4_eq(x, SPLAT(__builtin_inff())));
  y = wasm_v128_bitselect(SPLAT(-__builtin_inff()), y, wasm_f32x4_eq(x, SPLAT(0.0f)));
  return wasm_v128_bitselect(y, SPLAT(__builtin_nanf("")), wasm_f32x4_ge(x, SPLAT(0.0f)));
}

static inline v128 vec_tanh(v128 x) {
  v128 sign = wasm_v128_and(x, SPLAT(-0.0f)), a = wasm_f32x4_abs(x), z = MUL(x, x);
  v128 p = SPLAT(-5.70498872745e-3f);
  p = MADD(p, z, SPLAT(2.06390887954e-2f));
  p = MADD(p, z, SPLAT(-5.37397155531e-2f));
  p = MADD(p, z, SPLAT(1.33314422036e-1f));
  p = MADD(p, z, SPLAT(-3.33332819422e-1f));
  v128 near = MADD(MUL(p, z), x, x);
  v128 far = SUB(SPLAT(1.0f), DIV(SPLAT(2.0f), ADD(vec_exp(ADD(a, a)), SPLAT(1.0f))));
  return wasm_v128_bitselect(near, wasm_v128_or(far, sign), wasm_f32x4_lt(a, SPLAT(0.625f)));
}

// erf(x) = x + x p(x^2) up to 1; beyond, 1 - exp(-|x| q(|x|)). Least-squares fits of p and q, absolute error below 1e-8.
static inline v128 vec_erf(v128 x) {
  v128 sign = wasm_v128_and(x, SPLAT(-0.0f)), a = wasm_f32x4_abs(x), z = MUL(x, x);
  v128 p = SPLAT(7.882497448e-5f);
  p = MADD(p, z, SPLAT(-8.018855006e-4f));
  p = MADD(p, z, SPLAT(5.189312156e-3f));
  p = MADD(p, z, SPLAT(-2.685432881e-2f));
  p = MADD(p, z, SPLAT(1.1283597350e-1f));
  p = MADD(p, z, SPLAT(-3.761262596e-1f));
  p = MADD(p, z, SPLAT(1.283791671e-1f));
  v128 near = MADD(p, x, x);
  // Beyond 4.2 erf is 1 to the last bit, and the fit of q ends.
  v128 t = wasm_f32x4_min(a, SPLAT(4.2f)), q = SPLAT(1.4670923520e-5f);
  q = MADD(q, t, SPLAT(-3.576682357e-4f));
  q = MADD(q, t, SPLAT(3.786229063e-3f));
  q = MADD(q, t, SPLAT(-2.407094277e-2f));
  q = MADD(q, t, SPLAT(1.0660174489e-1f));
  q = MADD(q, t, SPLAT(6.349264383e-1f));
  q = MADD(q, t, SPLAT(1.1287050247f));
  v128 far = SUB(SPLAT(1.0f), vec_exp(MUL(SPLAT(-1.0f), MUL(t, q))));
  return wasm_v128_bitselect(near, wasm_v128_or(far, sign), wasm_f32x4_lt(a, SPLAT(1.0f)));
}

static inline v128 vec_sigmoid(v128 x) {
  // exp(-|x|) cannot overflow; below zero it is the numerator too, which keeps the digits of the tail.
  v128 e = vec_exp(wasm_v128_or(x, SPLAT(-0.0f)));
  return DIV(wasm_v128_bitselect(e, SPLAT(1.0f), wasm_f32x4_lt(x, SPLAT(0.0f))), ADD(SPLAT(1.0f), e));
}

static inline v128 vec_rsqrt(v128 x) { return DIV(SPLAT(1.0f), wasm_f32x4_sqrt(x)); }
static inline v128 vec_square(v128 x) { return MUL(x, x); }
static inline v128 vec_relu(v128 x) { return wasm_f32x4_max(x, SPLAT(0.0f)); }

// Where fewer than four values are left they are computed among zeros, by the same instructions as all others.
static inline v128 load_some(const float *x, i32 n) {
  v128 v = SPLAT(0.0f);
  if (n > 0) v = wasm_v128_load32_lane(x, v, 0);
  if (n > 1) v = wasm_v128_load32_lane(x + 1, v, 1);
  if (n > 2) v = wasm_v128_load32_lane(x + 2, v, 2);
  return v;
}

static inline void store_some(float *y, v128 v, i32 n) {
  if (n > 0) wasm_v128_store32_lane(y, v, 0);
  if (n > 1) wasm_v128_store32_lane(y + 1, v, 1);
  if (n > 2) wasm_v128_store32_lane(y + 2, v, 2);
}

struct unary {
  const float *x;
  float *y;
  i32 n, chunk, function;
};

#define EACH(f)                                                                       \
  for (; i + 4 <= n; i += 4) wasm_v128_store(y + i, f(wasm_v128_load(x + i)));        \
  if (i < n) store_some(y + i, f(load_some(x + i, n - i)), n - i);                    \
  break;

static void unary_task(const struct unary *g, i32 task) {
  const float *x = g->x;
  float *y = g->y;
  i32 i = task * g->chunk;
  const i32 n = min(g->n, i + g->chunk);
  switch (g->function) {
    case 0: EACH(vec_exp)
    case 1: EACH(vec_log)
    case 2: EACH(vec_tanh)
    case 3: EACH(vec_erf)
    case 4: EACH(vec_sigmoid)
    case 5: EACH(vec_rsqrt)
    case 6: EACH(wasm_f32x4_sqrt)
    case 7: EACH(vec_square)
    case 8: EACH(wasm_f32x4_neg)
    case 9: EACH(vec_relu)
    case 10: EACH(wasm_f32x4_abs)
  }
}

// Two operands whose axes are merged to runs along which each of them either moves on or stays.
#define BINARY_RANK 6

struct binary {
  const float *a, *b;
  float *y;
  i32 function;
  i32 rank; // of the axes outside the innermost
  i32 rows, n; // rows of n values; n is the innermost axis
  i32 a_moves, b_moves; // along the innermost axis, 0 or 1
  i32 per_task; // rows, or values of the only row
  i32 shape[BINARY_RANK], a_strides[BINARY_RANK], b_strides[BINARY_RANK];
};

static inline v128 vec_difference2(v128 a, v128 b) {
  v128 d = SUB(a, b);
  return MUL(d, d);
}

#define PAIRS(f)                                                                                                     \
  if (a_moves && b_moves) {                                                                                          \
    for (; i + 4 <= n; i += 4) wasm_v128_store(y + i, f(wasm_v128_load(a + i), wasm_v128_load(b + i)));              \
    if (i < n) store_some(y + i, f(load_some(a + i, n - i), load_some(b + i, n - i)), n - i);                        \
  } else if (a_moves) {                                                                                              \
    v128 v = wasm_v128_load32_splat(b);                                                                              \
    for (; i + 4 <= n; i += 4) wasm_v128_store(y + i, f(wasm_v128_load(a + i), v));                                  \
    if (i < n) store_some(y + i, f(load_some(a + i, n - i), v), n - i);                                              \
  } else {                                                                                                           \
    v128 v = wasm_v128_load32_splat(a);                                                                              \
    for (; i + 4 <= n; i += 4) wasm_v128_store(y + i, f(v, wasm_v128_load(b + i)));                                  \
    if (i < n) store_some(y + i, f(v, load_some(b + i, n - i)), n - i);                                              \
  }                                                                                                                  \
  break;

static void binary_row(i32 function, const float *a, i32 a_moves, const float *b, i32 b_moves, float *y, i32 n) {
  i32 i = 0;
  switch (function) {
    case 0: PAIRS(ADD)
    case 1: PAIRS(SUB)
    case 2: PAIRS(MUL)
    case 3: PAIRS(DIV)
    case 4: PAIRS(wasm_f32x4_max)
    case 5: PAIRS(wasm_f32x4_min)
    case 6: PAIRS(vec_difference2)
  }
}

static void binary_task(const struct binary *g, i32 task) {
  if (g->rows == 1) {
    const i32 from = task * g->per_task, n = min(g->n - from, g->per_task);
    return binary_row(g->function, g->a + (g->a_moves ? from : 0), g->a_moves, g->b + (g->b_moves ? from : 0), g->b_moves, g->y + from, n);
  }
  const i32 first = task * g->per_task, last = min(g->rows, first + g->per_task);
  i32 index[BINARY_RANK];
  const float *a = g->a, *b = g->b;
  for (i32 axis = g->rank - 1, rest = first; axis >= 0; axis--) {
    index[axis] = rest % g->shape[axis];
    rest /= g->shape[axis];
    a += index[axis] * g->a_strides[axis];
    b += index[axis] * g->b_strides[axis];
  }
  for (i32 row = first; row < last; row++) {
    binary_row(g->function, a, g->a_moves, b, g->b_moves, g->y + (usize)row * g->n, g->n);
    for (i32 axis = g->rank - 1; axis >= 0; axis--) {
      a += g->a_strides[axis];
      b += g->b_strides[axis];
      if (++index[axis] < g->shape[axis]) break;
      a -= index[axis] * g->a_strides[axis];
      b -= index[axis] * g->b_strides[axis];
      index[axis] = 0;
    }
  }
}

struct select {
  const unsigned char *condition;
  const float *a, *b;
  float *y;
  i32 n, chunk;
};

static void select_task(const struct select *g, i32 task) {
  i32 i = task * g->chunk;
  const i32 n = min(g->n, i + g->chunk);
  for (; i + 4 <= n; i += 4) {
    v128 bytes = wasm_v128_load32_zero(g->condition + i);
    v128 words = wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(bytes));
    v128 mask = wasm_i32x4_ne(words, wasm_i32x4_const_splat(0));
    wasm_v128_store(g->y + i, wasm_v128_bitselect(wasm_v128_load(g->a + i), wasm_v128_load(g->b + i), mask));
  }
  for (; i < n; i++) g->y[i] = g->condition[i] ? g->a[i] : g->b[i];
}
