// One step forward of the database's shape. Steps are numbered by tens, run in order, and are never edited afterwards.

export interface Migration {
  readonly id: number
  readonly name: string
  readonly sql: string
}
