import { expect, it } from 'vitest'
import { matchCommands } from '../../../src-renderer/shell/palette-commands.ts'

const command = (label: string, group = 'Actions') => ({ id: label, group, label, hint: '', run: () => {} })
const commands = [
  command('Restart the study', 'Runs'),
  command('Start a study'),
  command('Start a run'),
  command('Data', 'Rooms'),
]
const labels = (query: string) => matchCommands(commands, query).map((each) => each.label)

it('offers everything while nothing is typed', () => {
  expect(labels('  ')).toHaveLength(4)
})

it('finds by any words in any order and puts what begins so first', () => {
  expect(labels('start')).toEqual(['Start a study', 'Start a run', 'Restart the study'])
  expect(labels('study start')).toEqual(['Restart the study', 'Start a study'])
  expect(labels('rooms')).toEqual(['Data'])
  expect(labels('zebra')).toEqual([])
})
