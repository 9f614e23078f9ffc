// Numbers as a table shows them: shares in per cent with one decimal, small and large numbers without a tail of zeros,
// a true minus sign so that columns align. A number that cannot be had is an en dash.

import type { Metric } from '../../src-main/domain/metric.ts'

export type Unit = Metric['unit']

/** A value in its unit: share 0.613 → "61.3 %", ratio 1.8 → "1.80 ×", 0.000123 → "1.23e−4". */
export function quantity(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  if (unit === 'share') return `${signed((value * 100).toFixed(1))} %`
  if (unit === 'ratio') return `${signed(value.toFixed(2))} ×`
  return significant(value)
}

/** A difference, always with its sign; shares in percentage points. */
export function difference(value: number | null, unit: Unit): string {
  if (value === null || !Number.isFinite(value)) return '–'
  const [text, suffix] =
    unit === 'share'
      ? [(value * 100).toFixed(1), ' pp']
      : unit === 'ratio'
        ? [value.toFixed(2), ' ×']
        : [significant(value).replace('−', '-'), '']
  const zero = Number(text) === 0
  return `${zero ? '±' : value > 0 ? '+' : ''}${signed(zero ? text.replace('-', '') : text)}${suffix}`
}

/** "[−1.2, +4.5]" in the unit of `difference`; en dash when there is no interval. */
export function differenceInterval(low: number | null, high: number | null, unit: Unit): string {
  if (low === null || high === null) return '–'
  const bare = (value: number) => difference(value, unit).replace(/ (pp|×)$/, '')
  return `[${bare(low)}, ${bare(high)}]`
}

/** Half the width of an interval, "± 2.1": the interval itself need not be symmetric and is said on hover. */
export function plusMinus(low: number | null, high: number | null, unit: Unit): string {
  if (low === null || high === null) return ''
  return `± ${(((high - low) / 2) * (unit === 'share' ? 100 : 1)).toFixed(unit === 'share' ? 1 : 2)}`
}

/** "34.1 to 38.4 %". */
export function interval(low: number | null, high: number | null, unit: Unit): string {
  if (low === null || high === null) return 'no interval'
  return `${quantity(low, unit).replace(/ [%×]$/, '')} to ${quantity(high, unit)}`
}

/** "0.032", "< 0.001". */
export function pValue(p: number | null): string {
  if (p === null || !Number.isFinite(p)) return '–'
  return p < 0.001 ? '< 0.001' : p.toFixed(3)
}

/** Three significant digits, exponents only where zeros would hide the number. */
export function significant(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return '–'
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size >= 1e5 || size < 1e-3) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split('e') as [string, string]
    return `${signed(String(Number(mantissa)))}e${signed(exponent.replace('+', ''))}`
  }
  return signed(String(Number(value.toPrecision(digits))))
}

/** 12034 → "12 034" (thin spaces). */
export function count(value: number): string {
  return signed(String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, '\u2009'))
}

export function percent(share: number): string {
  return `${Math.floor(Math.min(1, Math.max(0, share)) * 100)} %`
}

function signed(text: string): string {
  return text.replace('-', '−')
}

/** 1330000 → "1.33 M": three digits and the size's letter. */
export function parametersText(parameters: number): string {
  const [size, letter] = parameters >= 1e9 ? [1e9, ' B'] : parameters >= 1e6 ? [1e6, ' M'] : parameters >= 1e3 ? [1e3, ' k'] : [1, '']
  return `${Number((parameters / size).toPrecision(3))}${letter}`
}

/** 12400000 → "12.4 MB". */
export function bytesText(bytes: number): string {
  const [size, unit] = bytes >= 1e9 ? [1e9, 'GB'] : bytes >= 1e6 ? [1e6, 'MB'] : [1e3, 'kB']
  return `${Number((bytes / size).toPrecision(3))} ${unit}`
}
