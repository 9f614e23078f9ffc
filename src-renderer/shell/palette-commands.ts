// What the palette offers and how typed letters find it.

export interface PaletteCommand {
  readonly id: string
  readonly group: string
  readonly label: string
  readonly hint: string
  readonly run: () => void
}

/** Every word typed must begin or stand in a word of the label; labels that begin with the query come first. */
export function matchCommands(commands: readonly PaletteCommand[], query: string): readonly PaletteCommand[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  const rank = (command: PaletteCommand) => (command.label.toLowerCase().startsWith(words.join(' ')) ? 0 : 1)
  const matches = commands.filter((command) =>
    words.every((word) => `${command.label} ${command.group}`.toLowerCase().includes(word)),
  )
  return words.length === 0 ? matches : [...matches].sort((a, b) => rank(a) - rank(b))
}
