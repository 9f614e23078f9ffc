// How the objectives are called where a person reads them.

export { OBJECTIVE_NAMES as objectiveLabels } from '../../src-main/domain/objective-config.ts'
