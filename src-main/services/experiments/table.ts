// What an experiment measured as the table that a comparison is: means, intervals, every pair tested, Holm's correction, a verdict.

import type { Comparison } from '../../domain/comparison.ts'
import type { ExperimentResultOf } from '../../domain/experiment.ts'
import { byMetricOrder } from '../../domain/metric.ts'
import type { Store } from '../../store/store.ts'
import { conditionsOf, rowIdOf } from '../comparison/conditions.ts'
import { rowScores, type MeasuredRow, type MemberResult } from '../comparison/measurements.ts'
import { comparisonTable } from '../comparison/table.ts'
import type { EncoderService } from '../encoders.ts'

type Scored = ExperimentResultOf<'map-scores'> | ExperimentResultOf<'probe'> | ExperimentResultOf<'transplant'>

/** @throws LabError 'not-found' for an encoder that is no longer listed */
export function experimentTable(store: Store, encoders: EncoderService, result: Scored): Comparison {
  const entries = result.kind === 'transplant' ? result.candidates : result.encoders
  const ids = [...new Set(entries.map(({ encoder }) => encoder))]
  const metrics = [...new Set(entries.flatMap(({ scores }) => scores.map(({ metric }) => metric)))].toSorted(byMetricOrder)
  const rows = metrics.map((metric): MeasuredRow => {
    const of = (encoder: string): readonly MemberResult[] =>
      entries.flatMap((entry) => {
        const score = entry.encoder === encoder ? entry.scores.find((each) => each.metric === metric) : undefined
        return score === undefined ? [] : [{ ...score, member: encoder, seed: entry.seed, evaluationId: entry.evaluationId }]
      })
    const conditions = conditionsOf(store.evaluations.head(entries[0]!.evaluationId), metric)
    return { id: rowIdOf(metric, conditions), metric, conditions, results: ids.map(of) }
  })
  return comparisonTable(encoders.findAll(ids), rows, (row) => rowScores(store, row), {
    reference: null,
    datasetOf: store.itemFacts.datasetOf,
    // Candidates of one seed met the same data in the same order from the same fresh weights.
    sharesSeeds: result.kind === 'transplant' ? true : undefined,
  })
}
