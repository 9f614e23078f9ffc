// The chart theme, read again when the colour scheme changes, by the system or by the person.

import { onScopeDispose, shallowRef } from 'vue'
import { readChartTheme, type ChartTheme } from './chart-theme.ts'

export function useChartTheme() {
  const theme = shallowRef<ChartTheme>(readChartTheme(document.body))
  const read = () => (theme.value = readChartTheme(document.body))
  const system = matchMedia('(prefers-color-scheme: dark)')
  const observer = new MutationObserver(read)
  system.addEventListener('change', read)
  observer.observe(document.documentElement, { attributeFilter: ['data-scheme'] })
  onScopeDispose(() => {
    system.removeEventListener('change', read)
    observer.disconnect()
  })
  return theme
}
