// Element by element: functions of one value, of two with broadcasting, and a choice between two.
// exp, log and tanh follow the Cephes library (S. Moshier): argument reduction and a minimax polynomial.

#define SPLAT(x) wasm_f32x4_const_splat(x)
#define ADD wasm_f32x4_add
#define SUB wasm_f32x4_sub
#define MUL wasm_f32x4_mul
#define DIV wasm_f32x4_div

// Coefficients are read from each thread's scratch, four lanes by one instruction: the engine builds a vector constant from
// immediates at every use, which took three quarters of the time of an exponential.
enum {
  EXP_LOG2E, EXP_ROUND, EXP_LN2_HIGH, EXP_LN2_LOW, EXP_P0, EXP_P1, EXP_P2, EXP_P3, EXP_P4, EXP_P5, EXP_BIAS, EXP_MOST, EXP_LEAST,
  LOG_HALF, LOG_ROOT_HALF, LOG_LN2_LOW, LOG_LN2_HIGH, LOG_P0, LOG_P1, LOG_P2, LOG_P3, LOG_P4, LOG_P5, LOG_P6, LOG_P7, LOG_P8,
  LOG_MANTISSA, LOG_ONE_EXPONENT, LOG_TINY, LOG_SCALE, LOG_SCALE_EXPONENT, LOG_INFINITY,
  TANH_NEAR, TANH_P0, TANH_P1, TANH_P2, TANH_P3, TANH_P4,
  ERF_P0, ERF_P1, ERF_P2, ERF_P3, ERF_P4, ERF_P5, ERF_P6, ERF_Q0, ERF_Q1, ERF_Q2, ERF_Q3, ERF_Q4, ERF_Q5, ERF_Q6, ERF_END,
  ONE, TWO, SIGN,
  COEFFICIENTS
};

#define UNUSED __attribute__((unused))
#define K(name) wasm_v128_load32_splat(k + name)

static float bits(u32 word) {
  float value;
  __builtin_memcpy(&value, &word, 4);
  return value;
}

static void write_coefficients(float *k) {
  k[ONE] = 1.0f;
  k[TWO] = 2.0f;
  k[SIGN] = -0.0f;
  // exp and log and tanh: Cephes. 1.5 * 2^23 added to a small number rounds it, and its last bits are the whole number.
  k[EXP_LOG2E] = 1.44269504088896341f;
  k[EXP_ROUND] = 12582912.0f;
  k[EXP_LN2_HIGH] = -0.693359375f;
  k[EXP_LN2_LOW] = 2.12194440e-4f;
  k[EXP_P0] = 1.9875691500e-4f;
  k[EXP_P1] = 1.3981999507e-3f;
  k[EXP_P2] = 8.3334519073e-3f;
  k[EXP_P3] = 4.1665795894e-2f;
  k[EXP_P4] = 1.6666665459e-1f;
  k[EXP_P5] = 5.0000001201e-1f;
  k[EXP_BIAS] = bits(127);
  k[EXP_MOST] = 89.0f;
  k[EXP_LEAST] = -104.0f;
  k[LOG_HALF] = 0.5f;
  k[LOG_ROOT_HALF] = 0.707106781186547524f;
  k[LOG_LN2_LOW] = -2.12194440e-4f;
  k[LOG_LN2_HIGH] = 0.693359375f;
  k[LOG_P0] = 7.0376836292e-2f;
  k[LOG_P1] = -1.1514610310e-1f;
  k[LOG_P2] = 1.1676998740e-1f;
  k[LOG_P3] = -1.2420140846e-1f;
  k[LOG_P4] = 1.4249322787e-1f;
  k[LOG_P5] = -1.6668057665e-1f;
  k[LOG_P6] = 2.0000714765e-1f;
  k[LOG_P7] = -2.4999993993e-1f;
  k[LOG_P8] = 3.3333331174e-1f;
  k[LOG_MANTISSA] = bits(0x007fffff);
  k[LOG_ONE_EXPONENT] = bits(126);
  k[LOG_TINY] = 1.17549435e-38f;
  k[LOG_SCALE] = 8388608.0f; // 2^23, for subnormals
  k[LOG_SCALE_EXPONENT] = bits(23);
  k[LOG_INFINITY] = __builtin_inff();
  k[TANH_NEAR] = 0.625f;
  k[TANH_P0] = -5.70498872745e-3f;
  k[TANH_P1] = 2.06390887954e-2f;
  k[TANH_P2] = -5.37397155531e-2f;
  k[TANH_P3] = 1.33314422036e-1f;
  k[TANH_P4] = -3.33332819422e-1f;
  // erf(x) = x + x p(x^2) up to 1; beyond, 1 - exp(-|x| q(|x|)). Least-squares fits of p and q, absolute error below 1e-8.
  k[ERF_P0] = 7.882497448e-5f;
  k[ERF_P1] = -8.018855006e-4f;
  k[ERF_P2] = 5.189312156e-3f;
  k[ERF_P3] = -2.685432881e-2f;
  k[ERF_P4] = 1.1283597350e-1f;
  k[ERF_P5] = -3.761262596e-1f;
  k[ERF_P6] = 1.283791671e-1f;
  k[ERF_Q0] = -1.4670923520e-5f;
  k[ERF_Q1] = 3.576682357e-4f;
  k[ERF_Q2] = -3.786229063e-3f;
  k[ERF_Q3] = 2.407094277e-2f;
  k[ERF_Q4] = -1.0660174489e-1f;
  k[ERF_Q5] = -6.349264383e-1f;
  k[ERF_Q6] = -1.1287050247f;
  // Beyond, erf is 1 to the last bit, and the fit of q ends.
  k[ERF_END] = 4.2f;
}

static inline v128 vec_exp(const float *k, v128 x) {
  // Above, infinity, reached by the scaling. Below the smallest subnormal, 0, by a mask: to compute it would be slow, and
  // masked attention scores are all there. Both pseudo-comparisons let NaN pass.
  v128 dead = wasm_f32x4_lt(x, K(EXP_LEAST));
  v128 c = wasm_f32x4_pmin(wasm_v128_andnot(x, dead), K(EXP_MOST));
  v128 round = K(EXP_ROUND);
  v128 shifted = MADD(c, K(EXP_LOG2E), round);
  v128 n = SUB(shifted, round);
  v128 r = MADD(n, K(EXP_LN2_LOW), MADD(n, K(EXP_LN2_HIGH), c));
  v128 p = K(EXP_P0);
  p = MADD(p, r, K(EXP_P1));
  p = MADD(p, r, K(EXP_P2));
  p = MADD(p, r, K(EXP_P3));
  p = MADD(p, r, K(EXP_P4));
  p = MADD(p, r, K(EXP_P5));
  p = ADD(MADD(p, MUL(r, r), r), K(ONE));
  // 2^n in two factors: n reaches from -150 to 128, a float's exponent from -126 to 127.
  v128 whole = wasm_i32x4_sub(shifted, round), half = wasm_i32x4_shr(whole, 1), bias = K(EXP_BIAS);
  v128 low = wasm_i32x4_shl(wasm_i32x4_add(half, bias), 23);
  v128 high = wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_sub(whole, half), bias), 23);
  return wasm_v128_andnot(MUL(MUL(p, low), high), dead);
}

static inline v128 vec_log(const float *k, v128 x) {
  v128 tiny = wasm_f32x4_lt(x, K(LOG_TINY));
  v128 scaled = wasm_v128_bitselect(MUL(x, K(LOG_SCALE)), x, tiny);
  v128 e = wasm_i32x4_sub(wasm_u32x4_shr(scaled, 23), K(LOG_ONE_EXPONENT));
  v128 m = wasm_v128_or(wasm_v128_and(scaled, K(LOG_MANTISSA)), K(LOG_HALF)); // [0.5, 1)
  v128 small = wasm_f32x4_lt(m, K(LOG_ROOT_HALF));
  // A mask is -1 as a number: one off the exponent where the mantissa is doubled.
  e = wasm_i32x4_sub(wasm_i32x4_add(e, small), wasm_v128_and(tiny, K(LOG_SCALE_EXPONENT)));
  v128 n = wasm_f32x4_convert_i32x4(e);
  m = SUB(ADD(m, wasm_v128_and(m, small)), K(ONE));
  v128 z = MUL(m, m), p = K(LOG_P0);
  p = MADD(p, m, K(LOG_P1));
  p = MADD(p, m, K(LOG_P2));
  p = MADD(p, m, K(LOG_P3));
  p = MADD(p, m, K(LOG_P4));
  p = MADD(p, m, K(LOG_P5));
  p = MADD(p, m, K(LOG_P6));
  p = MADD(p, m, K(LOG_P7));
  p = MADD(p, m, K(LOG_P8));
  v128 y = MUL(MUL(p, m), z);
  y = MADD(n, K(LOG_LN2_LOW), y);
  y = SUB(y, MUL(z, K(LOG_HALF)));
  y = MADD(n, K(LOG_LN2_HIGH), ADD(m, y));
  // log(inf) = inf, log(0) = -inf, log of a negative or of NaN is NaN.
  v128 infinity = K(LOG_INFINITY), zero = SUB(infinity, infinity);
  y = wasm_v128_bitselect(x, y, wasm_f32x4_eq(x, infinity));
  v128 none = wasm_v128_xor(x, x);
  y = wasm_v128_bitselect(wasm_v128_or(infinity, K(SIGN)), y, wasm_f32x4_eq(x, none));
  return wasm_v128_bitselect(y, zero, wasm_f32x4_ge(x, none));
}

static inline v128 vec_tanh(const float *k, v128 x) {
  v128 sign = wasm_v128_and(x, K(SIGN)), a = wasm_f32x4_abs(x), z = MUL(x, x);
  v128 p = K(TANH_P0);
  p = MADD(p, z, K(TANH_P1));
  p = MADD(p, z, K(TANH_P2));
  p = MADD(p, z, K(TANH_P3));
  p = MADD(p, z, K(TANH_P4));
  v128 near = MADD(MUL(p, z), x, x);
  v128 far = SUB(K(ONE), DIV(K(TWO), ADD(vec_exp(k, ADD(a, a)), K(ONE))));
  return wasm_v128_bitselect(near, wasm_v128_or(far, sign), wasm_f32x4_lt(a, K(TANH_NEAR)));
}

static inline v128 vec_erf(const float *k, v128 x) {
  v128 sign = wasm_v128_and(x, K(SIGN)), a = wasm_f32x4_abs(x), z = MUL(x, x);
  v128 p = K(ERF_P0);
  p = MADD(p, z, K(ERF_P1));
  p = MADD(p, z, K(ERF_P2));
  p = MADD(p, z, K(ERF_P3));
  p = MADD(p, z, K(ERF_P4));
  p = MADD(p, z, K(ERF_P5));
  p = MADD(p, z, K(ERF_P6));
  v128 near = MADD(p, x, x);
  v128 t = wasm_f32x4_pmin(a, K(ERF_END)), q = K(ERF_Q0);
  q = MADD(q, t, K(ERF_Q1));
  q = MADD(q, t, K(ERF_Q2));
  q = MADD(q, t, K(ERF_Q3));
  q = MADD(q, t, K(ERF_Q4));
  q = MADD(q, t, K(ERF_Q5));
  q = MADD(q, t, K(ERF_Q6));
  v128 far = SUB(K(ONE), vec_exp(k, MUL(t, q)));
  return wasm_v128_bitselect(near, wasm_v128_or(far, sign), wasm_f32x4_lt(a, K(ONE)));
}

static inline v128 vec_sigmoid(const float *k, v128 x) {
  // exp(-|x|) cannot overflow; below zero it is the numerator too, which keeps the digits of the tail.
  v128 one = K(ONE), e = vec_exp(k, wasm_v128_or(x, K(SIGN)));
  return DIV(wasm_v128_bitselect(e, one, wasm_f32x4_lt(x, wasm_v128_xor(x, x))), ADD(one, e));
}

static inline v128 vec_rsqrt(const float *k, v128 x) { return DIV(K(ONE), wasm_f32x4_sqrt(x)); }
static inline v128 vec_sqrt(const float *k UNUSED, v128 x) { return wasm_f32x4_sqrt(x); }
static inline v128 vec_square(const float *k UNUSED, v128 x) { return MUL(x, x); }
static inline v128 vec_neg(const float *k UNUSED, v128 x) { return wasm_f32x4_neg(x); }
static inline v128 vec_relu(const float *k UNUSED, v128 x) { return wasm_f32x4_max(x, wasm_v128_xor(x, x)); }
static inline v128 vec_abs(const float *k UNUSED, v128 x) { return wasm_f32x4_abs(x); }

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
  for (; i + 4 <= n; i += 4) wasm_v128_store(y + i, f(k, wasm_v128_load(x + i)));     \
  if (i < n) store_some(y + i, f(k, load_some(x + i, n - i)), n - i);                 \
  break;

static void unary_task(const struct unary *g, i32 task, const float *k) {
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
    case 6: EACH(vec_sqrt)
    case 7: EACH(vec_square)
    case 8: EACH(vec_neg)
    case 9: EACH(vec_relu)
    case 10: EACH(vec_abs)
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
    const float *a = g->a + (g->a_moves ? from : 0), *b = g->b + (g->b_moves ? from : 0);
    return binary_row(g->function, a, g->a_moves, b, g->b_moves, g->y + from, n);
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
