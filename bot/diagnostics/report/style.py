"""The one style sheet of the page. Light or dark as the reader's system says; wide tables scroll in themselves."""

STYLE = """
:root { color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --quiet: #5b6572; --rule: #dfe3e8; --card: #f6f7f9;
  --gain: #1f6feb; --loss: #c4500e; --hold: #8a93a0; --warn: #9a4a00; --warn-card: #fff4e5; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14171b; --ink: #e6e9ed; --quiet: #9aa4b1; --rule: #2c323a; --card: #1c2026;
  --gain: #6ea8ff; --loss: #ff9457; --hold: #7d8794; --warn: #ffc078; --warn-card: #2e2413; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem 1rem 3rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
h1, h2, h3, p, td, figcaption { overflow-wrap: anywhere; }
p { margin: .4rem 0; max-width: 46rem; }
.quiet { color: var(--quiet); font-size: .9rem; }
.mode { display: inline-block; padding: .1rem .55rem; border: 1px solid currentColor; border-radius: 1rem;
  font-size: .8rem; font-weight: 600; letter-spacing: .04em; text-transform: uppercase; }
.warn { background: var(--warn-card); color: var(--warn); padding: .5rem .75rem; border-radius: .4rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.6rem, 1fr)); gap: .6rem; margin: .9rem 0; }
.tile { background: var(--card); border-radius: .5rem; padding: .5rem .65rem; }
.tile .label, .tile .note { display: block; color: var(--quiet); font-size: .8rem; }
.tile .value { display: block; font-size: 1.05rem; font-weight: 600; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
figure { margin: 1rem 0; }
figcaption { font-weight: 600; font-size: .95rem; margin-bottom: .35rem; }
.panel { display: grid; grid-template: 100% / 3.6rem 1fr; gap: .5rem; margin-bottom: .5rem; }
.panel svg { width: 100%; height: 100%; overflow: visible; display: block; }
.tall { height: 13rem; } .low { height: 6rem; }
.words text { text-anchor: end; fill: var(--quiet); font-size: 12px; font-variant-numeric: tabular-nums; }
.below { display: flex; justify-content: space-between; gap: .5rem; padding-left: 4.1rem; color: var(--quiet);
  font-size: .75rem; white-space: nowrap; }
.below span:nth-child(n+2) { text-align: center; } .below span:last-child { text-align: right; }
.mark { stroke: var(--rule); stroke-width: 1; } .zero { stroke: var(--quiet); stroke-width: 1; }
.line { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.line.equity { stroke: var(--gain); } .line.drawdown { stroke: var(--loss); }
.line.hold { stroke: var(--hold); stroke-dasharray: 5 4; }
.area { stroke: none; opacity: .18; } .area.drawdown { fill: var(--loss); }
.bar.gain { fill: var(--gain); } .bar.loss { fill: var(--loss); } .unknown { fill: var(--rule); }
.hint { fill: transparent; } .hint:hover { fill: var(--quiet); opacity: .15; }
.lying { display: grid; gap: .3rem .75rem;
  grid-template-columns: fit-content(38%) 1fr max-content;
  align-items: center; font-size: .9rem; margin: .5rem 0; }
.lying .name { overflow-wrap: anywhere; }
.lying .figure { text-align: right; font-variant-numeric: tabular-nums; }
.strip { width: 100%; height: 1.2rem; display: block; overflow: visible; }
.scroll { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .875rem; min-width: 100%; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
th { color: var(--quiet); font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.name { white-space: nowrap; } td.words { min-width: 12rem; }
tr.sum td { font-weight: 600; border-top: 2px solid var(--rule); }
details { margin: .6rem 0; } summary { cursor: pointer; color: var(--quiet); font-size: .9rem; padding: .3rem 0; }
.key { display: inline-block; width: 1.6rem; height: 0; border-top: 3px solid; vertical-align: middle; }
.key.equity { border-color: var(--gain); } .key.hold { border-color: var(--hold); border-top-style: dashed; }
@media (max-width: 30rem) { body { padding: .9rem .75rem 2rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: .5rem; } .tile .value { font-size: 1rem; }
  .panel { grid-template-columns: 3rem 1fr; gap: .35rem; }
  .below { padding-left: 3.35rem; white-space: normal; } .words text { font-size: 11px; } .tall { height: 11rem; }
  .lying { grid-template-columns: fit-content(38%) 1fr max-content; gap: .3rem .5rem; } }
@media print { body { max-width: none; } details { display: none; } figure { break-inside: avoid; } }
"""
