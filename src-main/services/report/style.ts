// The report's only style sheet. Colours follow the reader's system; no font, no script, no address.

export const REPORT_STYLE = `
:root { color-scheme: light dark; --ink: #1b1f27; --soft: #5b6472; --line: #d9dee6; --page: #fff; --panel: #f6f8fa; --sft: #b45309; --dpo: #1d4ed8; --stage-1: #6b7280; --heat: #e11d48; --good: #15803d; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e7eaf0; --soft: #9aa4b2; --line: #333a45; --page: #14171c; --panel: #1c2027; --sft: #f59e0b; --dpo: #7aa2ff; --stage-1: #9ca3af; --heat: #fb7185; --good: #4ade80; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 40px 0 12px; }
p { margin: 0 0 8px; } .soft { color: var(--soft); }
.quick { border: 1px solid var(--sft); color: var(--sft); border-radius: 6px; padding: 1px 8px; font-size: 13px; margin-left: 8px; vertical-align: middle; }
.verdict { background: var(--panel); border-left: 4px solid var(--dpo); border-radius: 4px; padding: 14px 18px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
small { color: var(--soft); display: block; }
.sft { color: var(--sft); } .dpo { color: var(--dpo); } .stage-1 { color: var(--stage-1); }
.winner { font-weight: 600; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 16px; }
figure { margin: 0; background: var(--panel); border-radius: 8px; padding: 10px; } figcaption { font-weight: 600; font-size: 13px; margin-bottom: 4px; }
svg text { fill: var(--soft); font-size: 11px; } .grid { stroke: var(--line); stroke-width: 1; }
.line { fill: none; stroke-width: 1.5; stroke: currentColor; opacity: 0.85; }
.axis { stroke: var(--soft); stroke-dasharray: 3 3; } .whisker { stroke: currentColor; stroke-width: 2; } .point { fill: currentColor; }
.example { display: flex; gap: 20px; flex-wrap: wrap; background: var(--panel); border-radius: 8px; padding: 14px; margin-bottom: 16px; }
.sample { width: 230px; } .maps { width: auto; flex: 1; } .maps th, .maps td { border: 0; padding: 4px; font-size: 13px; }
.picture { width: 128px; height: auto; border-radius: 4px; display: block; image-rendering: pixelated; } .sample .picture { width: 200px; }
.heat { fill: var(--heat); } .region { fill: none; stroke: #22d3ee; stroke-width: 1.2; vector-effect: non-scaling-stroke; }
dl { margin: 8px 0 0; font-size: 13px; } dt { color: var(--soft); } dd { margin: 0 0 4px; }
pre { background: var(--panel); border-radius: 8px; padding: 14px; overflow-x: auto; font-size: 12.5px; }
details > summary { cursor: pointer; padding: 4px 0; } .legend span { margin-right: 16px; }
@media print { :root { color-scheme: light; } main { max-width: none; } figure, .example { break-inside: avoid; } }
`
