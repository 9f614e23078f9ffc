// A configuration as lines "a.b.c = value", in the order in which it is declared: to read, to compare, to copy.

export function flatConfig(value: unknown, path = ''): readonly (readonly [name: string, text: string])[] {
  if (Array.isArray(value) && value.every((each) => Object(each) !== each))
    return [[path, `[${value.map((each) => JSON.stringify(each)).join(', ')}]`]]
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, each]) => flatConfig(each, path === '' ? key : `${path}.${key}`))
  return [[path, value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value)]]
}
