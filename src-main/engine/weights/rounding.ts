// float32 to the two-byte types of weights files, rounded to nearest, ties to even, as every library does it. Values that are
// already of the narrow type come through unchanged; NaN stays NaN, what is too large for float16 becomes infinite.

export const WEIGHT_DTYPES = ['float32', 'float16', 'bfloat16'] as const
export type WeightDtype = (typeof WEIGHT_DTYPES)[number]

/** The values' bytes, little-endian; float32 without a copy. */
export function roundedBytes(values: Float32Array, dtype: WeightDtype): Uint8Array {
  if (dtype === 'float32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const narrow = dtype === 'float16' ? toFloat16 : toBfloat16
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < words.length; i++) halves[i] = narrow(words[i]!)
  return new Uint8Array(halves.buffer)
}

/** The upper half of the word, rounded. */
function toBfloat16(word: number): number {
  if ((word & 0x7fffffff) > 0x7f800000) return (word >>> 16) | 0x40
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff
}

/** IEEE 754 binary16: 5 bits of exponent (bias 15), 10 of fraction. */
function toFloat16(word: number): number {
  const sign = (word >>> 16) & 0x8000
  const magnitude = word & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  // 65520 and above round to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  // From 2⁻¹⁴ on the result is normal: drop 13 bits and re-bias the exponent.
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
  // Half of the smallest subnormal, 2⁻²⁵, is a tie with zero, which is even.
  if (magnitude <= 0x33000000) return sign
  const shift = 126 - (magnitude >>> 23)
  const fraction = (magnitude & 0x7fffff) | 0x800000
  const kept = fraction >>> shift
  const rest = fraction & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  return sign | (rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept)
}
