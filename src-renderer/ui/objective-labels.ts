// How the objectives are called where a person reads them.

import { OBJECTIVE_NAMES, type ObjectiveKind } from '../../src-main/domain/objective-config.ts'

export { OBJECTIVE_NAMES as objectiveLabels }

/** null: another program's, of which only the curves are known. */
export const objectiveWords = (objective: ObjectiveKind | null): string => (objective === null ? 'not known' : OBJECTIVE_NAMES[objective])
