// All tables of one open database. `transaction` makes several writes one.

import { createArtifactStore, type ArtifactStore } from './artifacts.ts'
import { createCheckpointStore, type CheckpointStore } from './checkpoints.ts'
import { createBenchmarkAnswerStore, type BenchmarkAnswerStore } from './benchmark-answers.ts'
import type { OpenDatabase } from './database.ts'
import { createCurationStore, type CurationStore } from './curation.ts'
import { createDataTaskStore, type DataTaskStore } from './data-tasks.ts'
import { createDatasetStore, type DatasetStore } from './datasets.ts'
import { createEncoderStore, type EncoderStore } from './encoders.ts'
import { createEvaluationStore, type EvaluationStore } from './evaluations.ts'
import { createItemFactStore, type ItemFactStore } from './item-facts.ts'
import { createJudgementStore, type JudgementStore } from './judgements.ts'
import { createLabelQueueStore, type LabelQueueStore } from './label-queues.ts'
import { createModelAnswerStore, type ModelAnswerStore } from './model-answers.ts'
import { createModelFolderStore, type ModelFolderStore } from './model-folders.ts'
import { createMapPointStore, type MapPointStore } from './map-points.ts'
import { createPairAuditStore, type PairAuditStore } from './pair-audits.ts'
import { createParityReportStore, type ParityReportStore } from './parity-reports.ts'
import { createFindingStore, type FindingStore } from './findings.ts'
import { createRunLogStore, type RunLogStore } from './run-log.ts'
import { createRunMetricStore, type RunMetricStore } from './run-metrics.ts'
import { createRunStore, type RunStore } from './runs.ts'
import { createSampleCountStore, type SampleCountStore } from './sample-counts.ts'
import { createSampleStore, type SampleStore } from './samples.ts'
import { createSavedViewStore, type SavedViewStore } from './saved-views.ts'
import { createSettingsStore, type SettingsStore } from './settings.ts'
import { createStudyStore, type StudyStore } from './studies.ts'
import { createStudyPhaseStore, type StudyPhaseStore } from './study-phases.ts'
import { createTokenCountStore, type TokenCountStore } from './token-counts.ts'
import { createZeroShotAnswerStore, type ZeroShotAnswerStore } from './zero-shot-answers.ts'

export interface Store {
  readonly access: 'write' | 'read'
  readonly sqliteVersion: string
  readonly datasets: DatasetStore
  readonly samples: SampleStore
  readonly sampleCounts: SampleCountStore
  readonly curation: CurationStore
  readonly tokenCounts: TokenCountStore
  readonly savedViews: SavedViewStore
  readonly dataTasks: DataTaskStore
  readonly findings: FindingStore
  readonly mapPoints: MapPointStore
  readonly runs: RunStore
  readonly runMetrics: RunMetricStore
  readonly runLog: RunLogStore
  readonly checkpoints: CheckpointStore
  readonly studies: StudyStore
  readonly studyPhases: StudyPhaseStore
  readonly encoders: EncoderStore
  readonly evaluations: EvaluationStore
  readonly itemFacts: ItemFactStore
  readonly benchmarkAnswers: BenchmarkAnswerStore
  readonly artifacts: ArtifactStore
  readonly modelFolders: ModelFolderStore
  readonly modelAnswers: ModelAnswerStore
  readonly parityReports: ParityReportStore
  readonly zeroShotAnswers: ZeroShotAnswerStore
  readonly labelQueues: LabelQueueStore
  readonly judgements: JudgementStore
  readonly pairAudits: PairAuditStore
  readonly settings: SettingsStore
  /** `write` must be synchronous. */
  transaction<T>(write: () => T): T
  /** A consistent copy of the database as a file of its own, while it is in use. */
  copyTo(file: string): Promise<void>
  isOpen(): boolean
  close(): void
}

export function createStore({ db, access, close }: OpenDatabase): Store {
  const sampleCounts = createSampleCountStore(db)
  return {
    access,
    sqliteVersion: db.prepare('SELECT sqlite_version()').pluck().get() as string,
    datasets: createDatasetStore(db),
    samples: createSampleStore(db, sampleCounts),
    sampleCounts,
    curation: createCurationStore(db),
    tokenCounts: createTokenCountStore(db),
    savedViews: createSavedViewStore(db),
    dataTasks: createDataTaskStore(db),
    findings: createFindingStore(db),
    mapPoints: createMapPointStore(db),
    runs: createRunStore(db),
    runMetrics: createRunMetricStore(db),
    runLog: createRunLogStore(db),
    checkpoints: createCheckpointStore(db),
    studies: createStudyStore(db),
    studyPhases: createStudyPhaseStore(db),
    encoders: createEncoderStore(db),
    evaluations: createEvaluationStore(db),
    itemFacts: createItemFactStore(db),
    benchmarkAnswers: createBenchmarkAnswerStore(db),
    artifacts: createArtifactStore(db),
    modelFolders: createModelFolderStore(db),
    modelAnswers: createModelAnswerStore(db),
    parityReports: createParityReportStore(db),
    zeroShotAnswers: createZeroShotAnswerStore(db),
    labelQueues: createLabelQueueStore(db),
    judgements: createJudgementStore(db),
    pairAudits: createPairAuditStore(db),
    settings: createSettingsStore(db),
    transaction: (write) => db.transaction(write)(),
    async copyTo(file) {
      await db.backup(file)
    },
    isOpen: () => db.open,
    close,
  }
}
