// `lab label`: queues of pairs to judge, how far their labels can be trusted, labels in and out, and the health of pairs.
// Judging itself needs eyes on the image, so it is done in the window.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Option, type Command } from 'commander'
import { DATABASE_NAME } from '../../compose.ts'
import { LabError } from '../../domain/errors.ts'
import { TIE_RULES } from '../../domain/labelling/outcome.ts'
import { auditRequestSchema } from '../../domain/labelling/pair-audit.ts'
import { PAIR_FORMATS, type PairFormat } from '../../domain/labelling/pair-export.ts'
import { PAIR_FAULT_TABLE, PAIR_FAULTS } from '../../domain/labelling/pair-health.ts'
import { queueRequestSchema, queueSourceSchema, type QueueRow } from '../../domain/labelling/queue.ts'
import type { Share, TrustReport } from '../../domain/labelling/trust.ts'
import type { SidePreference } from '../../domain/labelling/side-preference.ts'
import { parse } from '../../domain/parse.ts'
import { formatInterval, formatValue } from '../../services/number-text.ts'
import { withLab, type CliParts, type GlobalOptions, type Session } from '../session.ts'
import { collectSetting, withSettings } from '../settings-from-text.ts'
import { table } from '../table.ts'
import { progressOfJob } from './data.ts'

interface MakeFlags extends GlobalOptions {
  readonly source: string
  readonly dataset?: string
  readonly queue?: string
  readonly runs?: readonly string[]
  readonly set?: readonly string[]
}

interface ExportFlags extends GlobalOptions {
  readonly format: PairFormat
  readonly reference?: boolean
  readonly ties: (typeof TIE_RULES)[number]
}

export function addLabelCommand(program: Command, parts: CliParts): void {
  const label = program.command('label').description('Queues of pairs to judge, trust in their labels, labels in and out')
  const kinds = queueSourceSchema.options.map((option) => option.shape.kind.value)
  const ties = () => new Option('--ties <rule>', 'what becomes of ties').choices([...TIE_RULES]).default('leave-out')

  label
    .command('make <name>')
    .description('Make a queue of pairs to judge')
    .addOption(new Option('--source <kind>', 'where the answers come from').choices(kinds).default('pairs'))
    .option('--dataset <name>', 'dataset of pairs, questions or conversations')
    .option('--queue <name>', 'queue whose edits or disagreements are judged')
    .option('--runs <runs...>', 'runs that answer (two models: both; two images: the one)')
    .option('--set <key=value>', 'change one setting, e.g. source.limit=200, order.kind=random, settings.seed=1 (repeatable)', collectSetting)
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<MakeFlags>()
      await withLab(parts, options, 'write', async ({ lab, terminal, signal, listen }) => {
        const [first, second] = options.runs ?? []
        const source = {
          kind: options.source,
          ...(options.dataset === undefined ? {} : { dataset: options.dataset }),
          ...(options.queue === undefined ? {} : { queueId: lab.labelling.named(options.queue).id }),
          ...(options.source === 'two-models' ? { first, second: second ?? first } : {}),
          ...(options.source === 'two-images' ? { run: first } : {}),
        }
        const request = parse(queueRequestSchema, withSettings({ name, source }, options.set ?? []), 'invalid-input', 'label make')
        const show = progressOfJob(terminal, name)
        const { queueId } = lab.labelQueues.create(request)
        listen(() => {
          const progress = lab.labelling.list().find(({ id }) => id === queueId)?.progress
          if (progress) show({ kind: 'progress', ...progress })
        })
        signal.addEventListener('abort', () => lab.labelQueues.cancel(queueId), { once: true })
        await lab.labelQueues.ended(queueId)
        const made = lab.labelling.list().find(({ id }) => id === queueId)
        if (made === undefined) throw new LabError('cancelled', `queue "${name}" was cancelled; nothing of it is kept`)
        if (made.failure !== null) {
          lab.labelling.delete(queueId)
          throw new LabError(made.failure.code, made.failure.message, made.failure.details)
        }
        terminal.json({ event: 'queue', ...made })
        terminal.out(`${made.name}: ${made.slots} places. Judge them in the window, in the room Labelling.`)
      })
    })

  label
    .command('list')
    .description('List the queues and who has judged how much')
    .action(async (_: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'read', async ({ lab, terminal }) => {
        const queues = lab.labelling.list()
        for (const queue of queues) terminal.json(queue)
        terminal.out(queueTable(queues))
      })
    })

  label
    .command('trust <queue>')
    .description('Side and length bias, consistency, agreement, label noise, and whose answers are preferred')
    .action(async (name: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'read', async ({ lab, terminal }) => {
        const queue = lab.labelling.named(name)
        const [trust, rankings] = [lab.labelling.trust(queue.id), lab.labelling.rankings(queue.id)]
        terminal.json({ event: 'trust', queue: queue.name, ...trust, rankings })
        tellTrust({ lab, terminal }, trust, rankings)
      })
    })

  label
    .command('export <queue> [folder]')
    .description('Write the preference pairs and labels.jsonl, which tells who judged what and how')
    .addOption(new Option('--format <format>', 'format of the rows').choices([...PAIR_FORMATS]).default('trl'))
    .option('--reference', 'name images where they are instead of copying them')
    .addOption(ties())
    .action(async (name: string, folder: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<ExportFlags>()
      await withLab(parts, options, 'write', async ({ lab, terminal }) => {
        const { artifact, counts } = await lab.labelExport.write(
          {
            queueId: lab.labelling.named(name).id,
            format: options.format,
            images: options.reference === true ? 'reference' : 'copy',
            ties: options.ties,
          },
          folder === undefined ? null : resolve(folder),
        )
        terminal.json({ event: 'exported', ...artifact, counts })
        terminal.note(`${counts.pairs} pairs; no pair of ${counts.tied} ties, ${counts.bothBad} both bad, ${counts.split} even splits`)
        terminal.out(artifact.path)
      })
    })

  label
    .command('dataset <queue> <name>')
    .description('Put the pairs into the project as a dataset to train on')
    .addOption(ties())
    .action(async (queue: string, name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<ExportFlags>()
      await withLab(parts, options, 'write', async ({ lab, terminal }) => {
        const summary = await lab.labelExport.toDataset(lab.labelling.named(queue).id, name, options.ties)
        terminal.json({ event: 'imported', ...summary })
        terminal.out(`${summary.added} pairs added to ${name}, ${summary.unchanged} were there already`)
      })
    })

  label
    .command('share <queue> [file]')
    .description('Write a queue with all judgements to one file, for another project to merge')
    .action(async (name: string, file: string | undefined, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'write', async ({ lab, terminal }) => {
        const artifact = await lab.labelExport.writeBundle(lab.labelling.named(name).id, file === undefined ? null : resolve(file))
        terminal.json({ event: 'shared', ...artifact })
        terminal.out(artifact.path)
      })
    })

  label
    .command('merge <path>')
    .description('Take in the labels of a label file, or of another project folder; merging twice changes nothing')
    .action(async (path: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'write', async ({ lab, terminal }) => {
        const place = resolve(path)
        const isProject = existsSync(join(place, DATABASE_NAME))
        const summaries = isProject ? lab.labelling.mergeProject(place, DATABASE_NAME) : [lab.labelling.mergeFile(place)]
        for (const summary of summaries) {
          terminal.json({ event: 'merged', ...summary })
          terminal.out(`${summary.queue}: ${summary.added} judgements of ${summary.labellers.join(', ') || 'nobody'} came in, ${summary.unchanged} were there already`)
        }
        if (summaries.length === 0) terminal.out('there is no queue in that project')
      })
    })

  label
    .command('health <dataset>')
    .description('Duplicates, swapped and identical answers, length gaps and leaks of a dataset of pairs')
    .action(async (dataset: string, _: unknown, command: Command) => {
      await withLab(parts, command.optsWithGlobals(), 'read', async ({ lab, terminal }) => {
        const { findings, ...health } = await lab.pairHealth.health(dataset)
        terminal.json({ event: 'health', dataset, ...health, findings })
        terminal.out(
          table(
            [{ title: 'Fault', align: 'left' }, { title: 'Pairs', align: 'right' }, { title: '', align: 'left' }],
            PAIR_FAULTS.map((fault) => [PAIR_FAULT_TABLE[fault].label, String(health.counts[fault] ?? 0), PAIR_FAULT_TABLE[fault].meaning]),
          ),
        )
        for (const { fault, prompt, detail } of findings.slice(0, 20)) terminal.note(`${PAIR_FAULT_TABLE[fault].label}: ${prompt} (${detail})`)
        if (findings.length > 20) terminal.note(`and ${findings.length - 20} more: --json lists all`)
      })
    })

  label
    .command('audit <dataset>')
    .description('How much of a model’s margin on pairs needs the image, and which pairs teach language only')
    .requiredOption('--model <run>', 'the run whose newest checkpoint is asked')
    .option('--reference <run>', 'the run that it was trained from')
    .option('--set <key=value>', 'change one setting, e.g. limit=200, split=test, beta=0.1 (repeatable)', collectSetting)
    .action(async (dataset: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { model: string; reference?: string; set?: readonly string[] }>()
      await withLab(parts, options, 'write', async ({ lab, terminal, signal, listen }) => {
        const given = { dataset, runId: options.model, referenceRunId: options.reference ?? null }
        const request = parse(auditRequestSchema, withSettings(given, options.set ?? []), 'invalid-input', 'label audit')
        const show = progressOfJob(terminal, 'audit')
        const { auditId } = lab.pairHealth.startAudit(request)
        listen(() => {
          const progress = lab.pairHealth.audits().find(({ id }) => id === auditId)?.progress
          if (progress) show({ kind: 'progress', ...progress })
        })
        signal.addEventListener('abort', () => lab.pairHealth.cancelAudit(auditId), { once: true })
        const row = await lab.pairHealth.ended(auditId)
        if (row.failure !== null) throw new LabError(row.failure.code, row.failure.message, row.failure.details)
        const { use, pairs } = lab.pairHealth.audit(auditId)
        terminal.json({ event: 'audit', ...row, use, pairs })
        const share = use.needsImage
        const range = share === null || share.low === null || share.high === null ? '' : ` ${formatInterval(share.low, share.high, 'share')}`
        terminal.out(
          share === null
            ? 'the mean margin is not above zero: no share can be told'
            : `${formatValue(share.value, 'share')}${range} of the margin needs the image`,
        )
        terminal.out(`${use.languageOnly.length} of ${use.pairs} pairs teach language only`)
      })
    })
}

function queueTable(queues: readonly QueueRow[]): string {
  return table(
    [
      { title: 'Queue', align: 'left' },
      { title: 'Answers', align: 'left' },
      { title: 'Status', align: 'left' },
      { title: 'Places', align: 'right' },
      { title: 'Judged', align: 'left' },
    ],
    queues.map(({ name, source, status, slots, labellers }) => [
      name,
      source.kind,
      status,
      String(slots),
      labellers.map(({ labeller, judged }) => `${labeller} ${judged}`).join(', ') || 'nobody yet',
    ]),
  )
}

function tellTrust(
  { terminal }: Pick<Session, 'lab' | 'terminal'>,
  trust: TrustReport,
  rankings: ReturnType<Session['lab']['labelling']['rankings']>,
): void {
  const right = (title: string) => ({ title, align: 'right' }) as const
  const left = (title: string) => ({ title, align: 'left' }) as const
  const share = (each: Share | null) => (each === null ? '–' : `${formatValue(each.value, 'share')} ${formatInterval(each.low, each.high, 'share')}`)
  const offset = ({ value, interval, judgements }: SidePreference) =>
    interval === null ? (judgements > 0 ? 'not identified' : '–') : `${value!.toFixed(2)} [${interval.low.toFixed(2)}, ${interval.high.toFixed(2)}]`
  terminal.out(
    table(
      [left('Labeller'), right('Judged'), right('Chooses A'), right('Side preference'), right('Chooses the longer'), right('Consistent'), right('Right on gold'), right('Seconds')],
      trust.labellers.map((each) => [
        each.labeller,
        String(each.judged),
        share(each.sideA),
        offset(each.sidePreference),
        share(each.longer),
        share(each.consistent),
        share(each.gold),
        each.seconds === null ? '–' : each.seconds.median.toFixed(1),
      ]),
    ),
  )
  for (const { name, value, interval, items, reason } of trust.agreement)
    terminal.out(
      `${name}: ${value === null ? 'undefined' : value.toFixed(2)}${interval === null ? '' : ` [${interval.low.toFixed(2)}, ${interval.high.toFixed(2)}]`}` +
        ` over ${items} items${reason && ` (${reason})`}`,
    )
  if (trust.noise !== null)
    terminal.out(
      `label noise ε: ${formatValue(trust.noise.value, 'share')} ${formatInterval(trust.noise.low, trust.noise.high, 'share')} (${trust.noise.how}); ` +
        `robust DPO takes it as training.objective.labelSmoothing=${trust.noise.value.toFixed(3)}`,
    )
  for (const { category, labeller, models } of rankings)
    terminal.out(
      table(
        [left(labeller === null ? (category ?? 'All categories') : `By ${labeller} alone`), right('Judged'), right('Win rate'), right('95 % interval'), right('Strength')],
        models.map((each) => [
          each.source,
          String(each.comparisons),
          formatValue(each.winRate, 'share'),
          formatInterval(each.winRateInterval.low, each.winRateInterval.high, 'share'),
          each.strength.toFixed(2),
        ]),
      ),
    )
}
