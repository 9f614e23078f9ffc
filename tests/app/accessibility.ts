// axe-core over the page as it stands: the faults that keep somebody from using it.

import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'

/** Serious and critical violations, one line each; empty when there are none. */
export async function seriousFaults(page: Page): Promise<readonly string[]> {
  // A window of Electron cannot open the blank page in which axe otherwise finishes.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze()
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target.join(' ')} ${node.failureSummary}`).join('; ')}`)
}
