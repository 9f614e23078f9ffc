// Colours for chart options in tests: any will do, as long as they differ.

import type { ChartTheme } from '../../src-renderer/charts/chart-theme.ts'

export const theme: ChartTheme = {
  ink: '#000001',
  muted: '#000002',
  faint: '#000003',
  line: '#000004',
  strong: '#000005',
  surface: '#ffffff',
  encoders: { 'stage-1': '#777777', sft: '#cc5500', dpo: '#0055cc' },
  marks: ['#777777', '#cc5500', '#0055cc', '#007755', '#aa2288', '#776600', '#443399', '#117799', '#772222'],
  marksOnWhite: ['#777777', '#cc5500', '#0055cc', '#007755', '#aa2288', '#776600', '#443399', '#117799', '#772222'],
  font: 'sans-serif',
}
