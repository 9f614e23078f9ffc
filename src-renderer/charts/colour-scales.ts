// Colour scales that rise evenly in lightness and are safe under colour blindness: viridis for amounts, and for
// differences one that is white at zero and runs to each side's own colour.

export type Rgb = readonly [number, number, number]

/** Coefficients of a polynomial of degree 6 through matplotlib's viridis, per channel (greatest error about 1 of 255). */
const VIRIDIS: readonly Rgb[] = [
  [0.2777273272234177, 0.005407344544966578, 0.3340998053353061],
  [0.1050930431085774, 1.404613529898575, 1.384590162594685],
  [-0.3308618287255563, 0.214847559468213, 0.09509516302823659],
  [-4.634230498983486, -5.799100973351585, -19.33244095627987],
  [6.228269936347081, 14.17993336680509, 56.69055260068105],
  [4.776384997670288, -13.74514537774601, -65.35303263337234],
  [-5.435455855934631, 4.645852612178535, 26.3124352495832],
]

/** @param t  0 to 1; beyond is clamped */
export function viridis(t: number): Rgb {
  const x = Math.min(1, Math.max(0, t))
  const channel = (index: 0 | 1 | 2) =>
    Math.round(255 * VIRIDIS.reduceRight((sum, coefficients) => sum * x + coefficients[index], 0))
  return [channel(0), channel(1), channel(2)]
}

/** @param t  −1 gives `low`, 0 white, 1 `high`; beyond is clamped */
export function difference(t: number, low: Rgb, high: Rgb): Rgb {
  const x = Math.min(1, Math.max(-1, t))
  const end = x < 0 ? low : high
  const mix = (index: 0 | 1 | 2) => Math.round(255 + (end[index] - 255) * Math.abs(x))
  return [mix(0), mix(1), mix(2)]
}

/** Ends of a scale for numbers that speak for or against something: purple below zero, green above (ColorBrewer's PRGn). */
export const FOR_AND_AGAINST: readonly [Rgb, Rgb] = [
  [118, 42, 131],
  [27, 120, 55],
]

/** @param number  of the class; 0 is background and dark. Neighbouring numbers differ in hue and in lightness. */
export function classColor(number: number): Rgb {
  if (number === 0) return [38, 42, 48]
  // Steps of the golden angle never come back to a hue.
  const hue = (number * 137.508) % 360
  const lightness = [0.5, 0.68, 0.38][number % 3]!
  const spread = 0.55 * Math.min(lightness, 1 - lightness)
  const channel = (shift: number) => {
    const k = (shift + hue / 30) % 12
    return Math.round(255 * (lightness - spread * Math.max(-1, Math.min(k - 3, 9 - k, 1))))
  }
  return [channel(0), channel(8), channel(4)]
}

/** "#b4530a" or "rgb(180, 83, 10)" as numbers. */
export function parseColor(text: string): Rgb {
  const hex = /^#(..)(..)(..)$/.exec(text)
  const parts = hex === null ? text.match(/[\d.]+/g)! : hex.slice(1).map((pair) => String(parseInt(pair, 16)))
  return [Number(parts[0]), Number(parts[1]), Number(parts[2])]
}

/**
 * The ends of the difference of two encoders' maps: SFT's and DPO's colours of the light scheme. A map is read against
 * its white, which is the same in both schemes.
 */
export const SIDES: readonly [Rgb, Rgb] = [
  [180, 83, 10],
  [10, 102, 181],
]
