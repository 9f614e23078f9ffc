// Everything that the palette reaches: rooms and their pages, actions, and every thing of the project by its name. What the window
// does not hold anyway is asked when the palette opens.

import { computed, type ComputedRef } from 'vue'
import { goTo, route, type Room } from '../lab/route.ts'
import { useOperation } from '../lab/use-operation.ts'
import type { Workplace } from '../lab/workplace.ts'
import { PAGE_LABELS as COMPARE_PAGE_LABELS, PAGES as COMPARE_PAGES, placeSection } from '../rooms/compare/compare-place.ts'
import type { PaletteCommand } from './palette-commands.ts'
import { rooms } from './rooms.ts'

/** Sections of a study's, a run's and a dataset's page, as their addresses name them. */
const SECTIONS: Readonly<Partial<Record<Room, readonly (readonly [section: string, label: string])[]>>> = {
  study: [
    ['progress', 'Progress'],
    ['results', 'Results'],
    ['maps', 'Maps'],
    ['parity', 'Parity'],
    ['config', 'Configuration'],
    ['files', 'Files'],
  ],
  runs: [
    ['curves', 'Curves'],
    ['config', 'Configuration'],
    ['ask', 'Ask'],
    ['lineage', 'Lineage'],
    ['log', 'Log'],
    ['files', 'Files'],
  ],
  data: [
    ['browse', 'Browse'],
    ['quality', 'Quality'],
    ['map', 'Map'],
    ['versions', 'Splits and versions'],
  ],
}

const NEWEST_STUDIES = 3

export function useCommands({ studies, runs, datasets, setTheme }: Workplace, isOpen: () => boolean, does: { readonly showKeys: () => void; readonly toggleRail: () => void }): ComputedRef<readonly PaletteCommand[]> {
  const whenOpen = () => (isOpen() ? undefined : null) as undefined
  const folders = useOperation('models.folders', whenOpen)
  const encoders = useOperation('encoders.list', whenOpen)
  const queues = useOperation('labelling.queues', whenOpen)
  const views = useOperation('views.list', whenOpen)

  const command = (id: string, group: string, label: string, hint: string, run: () => void): PaletteCommand => ({ id, group, label, hint, run })

  /** Sections of what is on the page, and results of the newest studies, from anywhere. */
  const pages = computed(() => {
    const { room, id } = route.value
    const here = id === null || id === 'new' || id === 'compare' ? [] : (SECTIONS[room] ?? []).map(([section, label]) => command(`here:${section}`, 'On this page', label, '', () => goTo(room, id, section)))
    const newest = (studies.value.value ?? []).slice(0, NEWEST_STUDIES).flatMap((study) =>
      SECTIONS.study!.map(([section, label]) => command(`study:${study.id}:${section}`, 'Pages', `${study.name}: ${label}`, '', () => goTo('study', study.id, section))),
    )
    const compare = COMPARE_PAGES.map((page) => command(`compare:${page}`, 'Pages', `Compare: ${COMPARE_PAGE_LABELS[page]}`, '', () => goTo('compare', page)))
    return [...here, ...compare, ...newest]
  })

  return computed(() => [
    ...rooms.map((entry, index) => command(`room:${entry.room}`, 'Rooms', entry.label, `Ctrl+${index + 1}`, () => goTo(entry.room))),
    command('do:study', 'Actions', 'Start a study', '', () => goTo('study', 'new')),
    command('do:run', 'Actions', 'Start a run', '', () => goTo('runs', 'new')),
    command('do:model', 'Actions', 'Open a model folder', '', () => goTo('models')),
    command('do:ask', 'Actions', 'Ask a model about a picture', '', () => goTo('models')),
    command('do:parity', 'Actions', 'Compare the lab with reference libraries', 'parity', () => goTo('models', 'parity')),
    command('do:zero-shot', 'Actions', 'Classify pictures by words', 'zero-shot, CLIP', () => goTo('models', (folders.value.value ?? []).find(({ kind, isThere }) => isThere && kind === 'dual encoder')?.folder ?? null, 'classify')),
    command('do:import', 'Actions', 'Import data', '', () => goTo('data')),
    command('do:queue', 'Actions', 'Make a queue to judge', '', () => goTo('labelling', 'new')),
    command('do:pairs', 'Actions', 'Look at the health of pairs', '', () => goTo('labelling', 'pairs')),
    command('do:doctor', 'Actions', 'Look what this machine offers', '', () => goTo('doctor')),
    command('do:rail', 'Actions', 'Narrow or wide rail', 'Ctrl+B', does.toggleRail),
    command('do:keys', 'Actions', 'Show the keys', '?', does.showKeys),
    ...(['system', 'light', 'dark'] as const).map((theme) =>
      command(`do:${theme}`, 'Actions', theme === 'system' ? 'Colours as the system has them' : `Colours: ${theme}`, '', () => void setTheme(theme)),
    ),
    ...pages.value,
    ...(studies.value.value ?? []).map(({ id, name, status }) => command(id, 'Studies', name, status, () => goTo('study', id))),
    ...(runs.value.value ?? []).map(({ id, name, status }) => command(id, 'Runs', name, status, () => goTo('runs', id))),
    ...(datasets.value.value ?? []).map(({ id, name, kind }) => command(id, 'Data', name, kind, () => goTo('data', id))),
    ...(encoders.value.value ?? []).map(({ id, name, kind }) =>
      command(`encoder:${id}`, 'Encoders', name, kind, () => goTo('compare', 'result', placeSection({ encoders: [id], row: null, item: null }))),
    ),
    ...(folders.value.value ?? []).filter(({ isThere }) => isThere).map(({ folder, kind }) => command(`model:${folder}`, 'Models', folder, kind, () => goTo('models', folder))),
    ...(queues.value.value ?? []).map(({ id, name }) => command(`queue:${id}`, 'Queues', name, 'judge', () => goTo('labelling', id, 'judge'))),
    ...(views.value.value ?? []).map(({ id, name, filter }) => command(`view:${id}`, 'Saved views', name, '', () => goTo('data', filter.datasetId ?? 'all', `browse:${id}`))),
  ])
}
