// The layout of a module: which tensors of which shape there are, and what each is before any training. Standard deviations
// are the family's own choice; what a layer with its bias or a norm looks like stands here once.

/** How a tensor begins. Normal deviates have the standard deviation given. */
export type Initial = { readonly shape: readonly number[]; readonly fill: number } | { readonly shape: readonly number[]; readonly std: number }
/** By name. */
export type Layout = Record<string, Initial>

/** A linear layer with bias: Lecun-normal weights unless `std` says otherwise, zero biases. */
export function linearLayout(name: string, from: number, to: number, std = Math.sqrt(1 / from)): Layout {
  return { [`${name}.weight`]: { shape: [to, from], std }, [`${name}.bias`]: { shape: [to], fill: 0 } }
}

export function normLayout(name: string, width: number): Layout {
  return { [`${name}.weight`]: { shape: [width], fill: 1 }, [`${name}.bias`]: { shape: [width], fill: 0 } }
}

/** What is added to the residual stream shrinks with the number of additions (GPT-2), so that its sum stays near one. */
export function residualScale(layers: number): number {
  return 1 / Math.sqrt(2 * layers)
}
