// The command line as a person and a script meet it: help, exit codes, JSON, bars, Ctrl-C.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createProgram, everyCommand } from '../../src-main/cli/program.ts'
import { aFakeRunner, aLabWithData } from '../support/a-lab.ts'
import { aStudyConfig } from '../support/builders.ts'
import { cliParts, runLab } from '../support/run-cli.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

async function aProject(): Promise<string> {
  const folder = temporaryFolder()
  const { lab } = await aLabWithData(folder)
  await lab.close()
  return folder
}

function presetFolder(name: string): string {
  const folder = join(temporaryFolder(), 'presets')
  mkdirSync(folder)
  const preset = {
    title: 'A demo',
    source: 'nowhere',
    expect: 'a minute',
    sightTest: null,
    config: aStudyConfig({ seeds: [0, 1, 2] }),
  }
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(preset))
  return folder
}

describe('help', () => {
  it('every verb and every option says what it is for', () => {
    const undescribed: string[] = []
    const program = createProgram(cliParts({}, { stdout: { write: () => true }, stderr: { write: () => true } }))
    everyCommand(program, (command) => {
      if (command.description() === '') undescribed.push(command.name())
      for (const option of command.options) if (!option.description) undescribed.push(`${command.name()} ${option.flags}`)
    })
    expect(undescribed).toEqual([])
  })

  it('is there for every verb, and is no failure', async () => {
    const verbs: string[][] = []
    const collect = (command: ReturnType<typeof createProgram>, path: string[]): void => {
      verbs.push(path)
      for (const each of command.commands) collect(each as typeof command, [...path, each.name()])
    }
    collect(createProgram(cliParts({}, { stdout: { write: () => true }, stderr: { write: () => true } })), [])
    for (const verb of verbs) {
      const { exitCode, out } = await runLab([...verb, '--help'])
      expect([verb.join(' '), exitCode, out.includes('Usage: lab')]).toEqual([verb.join(' '), 0, true])
    }
  })
})

describe('exit codes', () => {
  it.each([
    [['frobnicate']],
    [['study', 'start', '--preset', 'a', '--config', 'b']],
    [['demo', '--seeds', 'many']],
    [['train', '--set', 'nothing']],
    [['export', 'model', '--part', 'half']],
    [['evaluate', 'model']],
    [['import']],
  ])('2 for %j, with a way to help', async (args) => {
    const { exitCode, err } = await runLab(args)
    expect([exitCode, err.length > 0]).toEqual([2, true])
  })

  it('1 for a fault, with its message, never a stack unless asked', async () => {
    const project = await aProject()
    const plain = await runLab(['--project', project, 'study', 'show', 'nothing'])
    expect([plain.exitCode, plain.err]).toEqual([1, 'not-found: there is no study "nothing"\n'])
    const debug = await runLab(['--project', project, '--debug', 'study', 'show', 'nothing'])
    expect(debug.err).toContain('at ')
    const json = await runLab(['--project', project, '--json', 'study', 'show', 'nothing'])
    expect(json.json()).toEqual([
      {
        event: 'failed',
        failure: { code: 'not-found', message: 'there is no study "nothing"', details: { studyId: 'nothing' } },
      },
    ])
  })

  it('1 for a setting that does not exist, naming it and what it lies in', async () => {
    const { exitCode, err } = await runLab([
      '--project',
      await aProject(),
      'train',
      '--set',
      'name=x',
      '--set',
      'dataset=preferences',
      '--set',
      'training.batchSize=0.5',
    ])
    expect(exitCode).toBe(1)
    expect(err).toContain('training.batchSize')
    expect(err).toContain('0.5')
  })

  it('130 when Ctrl-C pauses it, and it says how to go on', async () => {
    const project = await aProject()
    const runner = aFakeRunner()
    let interrupt = () => {}
    runner.beforeEvent = (job, event) => {
      if (job.kind === 'train' && event.kind === 'step' && event.step === 2) interrupt()
    }
    const config = join(project, 'study.json')
    writeFileSync(config, JSON.stringify(aStudyConfig({ seeds: [0] })))
    const paused = await runLab(['--project', project, 'study', 'start', '--config', config], {
      runner,
      interruptible: (listener) => (interrupt = listener),
    })
    expect(paused.exitCode).toBe(130)
    const studyId = /lab study resume (\S+)/.exec(paused.err)![1]!
    const resumed = await runLab(['--project', project, 'study', 'resume', studyId])
    expect(resumed.exitCode).toBe(0)
  })
})

describe('lab demo', () => {
  it('ends with the table, the verdict, and the paths of report and encoders', async () => {
    const project = await aProject()
    const { exitCode, out, err } = await runLab(['demo', '--project', project], { presetFolder: presetFolder('demo') })
    expect(exitCode).toBe(0)
    for (const part of ['Questions, all', 'DPO−SFT', 'p Holm', 'vision encoder dpo, seed 2', 'lab.sqlite'])
      expect(out).toContain(part)
    expect(err).toContain('Training the tokenizer')
    const report = /^report\s+(\S+)$/m.exec(out)![1]!
    expect(readFileSync(report, 'utf8')).toContain('SFT against DPO')
  })

  it('with --json says everything as one JSON value a line', async () => {
    const run = await runLab(['demo', '--json', '--project', await aProject(), '--seeds', '1'], {
      presetFolder: presetFolder('demo'),
    })
    const events = run.json().map(({ event }) => event)
    expect(events).toContain('phase')
    expect(events.at(-1)).toBe('finished')
    expect(run.err).toBe('')
  })

  it('draws a bar on a terminal and lines elsewhere', async () => {
    const folder = presetFolder('demo')
    const drawn = await runLab(['demo', '--project', await aProject(), '--seeds', '1'], { presetFolder: folder, isTTY: true })
    expect(drawn.err).toContain('█')
    const lines = await runLab(['demo', '--project', await aProject(), '--seeds', '1'], { presetFolder: folder })
    expect(lines.err).not.toMatch(/█|\u001b/)
  })

  it('stopped and run again goes on where it stopped; with --keep it starts another', async () => {
    const project = await aProject()
    const folder = presetFolder('demo')
    const runner = aFakeRunner()
    let interrupt = () => {}
    runner.beforeEvent = (job) => {
      if (job.kind === 'evaluate') interrupt()
    }
    const args = ['demo', '--project', project, '--seeds', '1']
    expect(
      (await runLab(args, { runner, presetFolder: folder, interruptible: (listener) => (interrupt = listener) })).exitCode,
    ).toBe(130)
    expect((await runLab([...args, '--keep'], { presetFolder: folder })).exitCode).toBe(0)
    const again = await runLab(args, { presetFolder: folder })
    expect([again.exitCode, again.err.includes('resuming')]).toEqual([0, true])
    const studies = await runLab(['study', 'list', '--json', '--project', project])
    expect(studies.json().map(({ status }) => status)).toEqual(['finished', 'finished'])
  })
})

describe('data', () => {
  it('import tells what was added, and a second time that nothing was', async () => {
    const project = temporaryFolder()
    expect((await runLab(['import', '/data/questions/7', '--name', 'mine', '--project', project])).out).toContain(
      '7 samples added, 0 were there already',
    )
    expect(
      (await runLab(['import', '/data/questions/7', '--name', 'mine', '--project', project, '--json'])).json(),
    ).toMatchObject([{ event: 'progress' }, { event: 'imported', added: 0, unchanged: 7 }])
    expect((await runLab(['datasets', '--project', project])).out).toMatch(/mine\s+questions/)
  })

  it('a project that is not there is not made by asking about it', async () => {
    const { exitCode, err } = await runLab(['datasets', '--project', join(temporaryFolder(), 'nothing')])
    expect([exitCode, err.startsWith('not-found')]).toEqual([1, true])
  })

  it('the doctor needs no project', async () => {
    const { exitCode, out } = await runLab(['doctor', '--project', join(temporaryFolder(), 'nothing')])
    expect([exitCode, out.includes('SQLite')]).toEqual([0, true])
  })
})

describe('one run', () => {
  it('is trained, listed, shown and exported', async () => {
    const project = await aProject()
    const trained = await runLab([
      'train',
      '--project',
      project,
      '--set',
      'name=mine',
      '--set',
      'dataset=preferences',
      '--set',
      'training.steps=3',
      '--json',
    ])
    expect(trained.exitCode).toBe(0)
    const runId = trained.json()[0]!['runId'] as string
    expect((await runLab(['runs', '--project', project])).out).toContain(runId)
    expect((await runLab(['runs', 'show', runId, '--project', project])).out).toContain('step 3 of 3')
    const runs = async (...args: string[]) => (await runLab(['runs', ...args, '--project', project])).out
    expect(await runs('tag', runId, 'good')).toContain('good')
    expect(await runs('note', runId, 'keep this one')).toContain('keep this one')
    expect(await runs('--group', 'tag', '--text', 'keep', '--metric', 'loss')).toMatch(/good \(1\)[\s\S]*0\.3333/)
    expect(await runs('--tag', 'bad')).toContain('No run is like that')
    expect(await runs('lineage', runId)).toContain('▸ run: mine')
    expect((await runLab(['runs', 'compare', runId, runId, '--project', project])).err).toContain('two or more')
    expect(await runs('pin', runId)).toContain('pinned')
    expect((await runLab(['export', runId, '--project', project])).out.trim()).toContain('exports')
    const measured = await runLab(['evaluate', runId, '--questions', 'questions', '--project', project])
    expect([measured.exitCode, measured.out.includes('Questions, all')]).toEqual([0, true])
  })

  it('is refused while another process has the project open, and readers are not', async () => {
    const project = temporaryFolder()
    const { lab } = await aLabWithData(project)
    const refused = await runLab(['import', '/data/questions/7', '--project', project])
    expect([refused.exitCode, refused.err.startsWith('conflict')]).toEqual([1, true])
    expect((await runLab(['datasets', '--project', project])).exitCode).toBe(0)
    await lab.close()
  })
})
