// `lab parity` as a person and a script meet it: a line a case, what was beyond its limit, the count, the exit status.

import { expect, it } from 'vitest'
import type { ParityReport } from '../../src-main/domain/parity.ts'
import { aFakeRunner } from '../support/a-lab.ts'
import { runLab } from '../support/run-cli.ts'

const good: ParityReport = { name: 'vit', kind: 'vision encoder', passed: true, fault: null, groups: [{ name: 'hidden states', compared: 3, worst: 4e-7, limit: 2e-5, at: 'hidden_states.1' }] }
const bad: ParityReport = { ...good, name: 'clip', passed: false, groups: [{ ...good.groups[0]!, worst: 0.25 }, { name: 'answers', compared: 1, worst: null, limit: 0, at: 'row 2' }] }
const unread: ParityReport = { name: 'swin', kind: null, passed: false, fault: 'config.json: no such family', groups: [] }

function reporting(...reports: readonly ParityReport[]) {
  const runner = aFakeRunner()
  return {
    ...runner,
    async *run() {
      for (const report of reports) yield { kind: 'parity', report } as const
    },
  }
}

it('ends well when every case agrees', async () => {
  const { exitCode, out } = await runLab(['parity', 'cases'], { runner: reporting(good) })
  expect([exitCode, out]).toEqual([0, '✓ vit  hidden states 4.0e-7\n1 of 1 cases agree\n'])
})

it('fails when one does not, and says what, where and by how much', async () => {
  const { exitCode, out } = await runLab(['parity', 'cases'], { runner: reporting(good, bad, unread) })
  expect(exitCode).toBe(1)
  expect(out.split('\n')).toEqual([
    '✓ vit  hidden states 4.0e-7',
    '✗ clip  hidden states 2.5e-1, answers not comparable',
    '    hidden states: 2.5e-1 at hidden_states.1, limit 2.0e-5',
    '    answers: not comparable at row 2, limit 0',
    '✗ swin  ',
    '    config.json: no such family',
    '1 of 3 cases agree',
    '',
  ])
})

it('with --json gives every report and the count', async () => {
  const { exitCode, json } = await runLab(['--json', 'parity', 'cases'], { runner: reporting(good, bad) })
  expect(exitCode).toBe(1)
  expect(json().slice(0, 3)).toEqual([good, bad, { passed: 1, failed: 1 }])
})
