// Rows as comma-separated values (RFC 4180): quoted where a comma, a quote or a line break would break the row.

export function toCsv(rows: readonly (readonly (string | number | null)[])[]): string {
  return rows.map((row) => row.map((cell) => quoted(cell === null ? '' : String(cell))).join(',')).join('\r\n') + '\r\n'
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
