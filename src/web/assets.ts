/** The style sheet at /page.css. System fonts, two themes, tables that become cards on a phone. */
export const pageCss = `
:root {
  --paper: #fbfaf8; --card: #ffffff; --ink: #1d2126; --faint: #68707a; --line: #e4e1db; --accent: #0b6e6e;
  --good: #1a7f4b; --good-paper: #e3f4ea; --bad: #b3261e; --bad-paper: #fbe7e5;
  --move: #1f5fae; --move-paper: #e4eefb; --hold: #8a5a00; --hold-paper: #fbf0d9; --code: #f1efea;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --card: #1c2026; --ink: #e6e8ea; --faint: #98a1ab; --line: #2d333b; --accent: #5cc8c2;
    --good: #6fd39b; --good-paper: #173226; --bad: #ff8f86; --bad-paper: #3b1d1c;
    --move: #86b8f7; --move-paper: #1a2b42; --hold: #e8bd66; --hold-paper: #352a14; --code: #12151a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
header { display: flex; gap: 1.25rem; align-items: baseline; padding: .9rem max(1rem, calc(50vw - 35rem)); border-bottom: 1px solid var(--line); background: var(--card); }
header nav { display: flex; gap: 1rem; font-size: .9rem; }
.brand { font-weight: 650; font-size: 1.05rem; color: var(--ink); letter-spacing: -.01em; }
#live { margin-left: auto; font-size: .8rem; color: var(--faint); }
#live::before { content: ""; display: inline-block; width: .5rem; height: .5rem; margin-right: .4rem; border-radius: 50%; background: var(--good); }
#live.off::before { background: var(--hold); }
main { max-width: 72rem; margin: 0 auto; padding: 1.25rem 1rem 4rem; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
h1 { font-size: 1.6rem; letter-spacing: -.02em; margin: .5rem 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2rem 0 .6rem; letter-spacing: -.01em; }
h3 { font-size: .98rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
.count, .meta, .empty, small, time { color: var(--faint); font-weight: 400; }
.meta, .empty { margin: .2rem 0; font-size: .88rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: .6rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .85rem; }
.tile b { display: block; font-size: 1.55rem; line-height: 1.2; font-weight: 600; letter-spacing: -.02em; font-variant-numeric: tabular-nums; }
.tile span { color: var(--faint); font-size: .82rem; }
.tile.good b { color: var(--good); } .tile.bad b { color: var(--bad); }
.pulse { margin: 1rem 0 .2rem; font-size: .95rem; }
.dot { display: inline-block; width: .5rem; height: .5rem; border-radius: 50%; margin-right: .45rem; background: currentColor; }
.pulse.fine .dot { background: var(--good); } .pulse.alarm { color: var(--bad); font-weight: 600; }
.cards { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: .7rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; min-width: 0; }
.card > :first-child { margin-top: 0; } .card > :last-child { margin-bottom: 0; }
.chips { display: flex; flex-wrap: wrap; gap: .4rem; margin: .5rem 0 0; }
.chip { display: inline-block; border: 1px solid var(--line); border-radius: 1rem; padding: .08rem .65rem; font-size: .82rem; color: var(--faint); background: var(--card); }
.chip.passed, .chip.verified { color: var(--good); background: var(--good-paper); border-color: transparent; }
.chip.failed, .chip.refused { color: var(--bad); background: var(--bad-paper); border-color: transparent; }
.chip.running { color: var(--move); background: var(--move-paper); border-color: transparent; }
.chip.running .dot { animation: pulse 1.4s ease-in-out infinite; }
.chip small { color: inherit; opacity: .8; }
@keyframes pulse { 50% { opacity: .25; } }
@media (prefers-reduced-motion: reduce) { .chip.running .dot { animation: none; } }
.badge { display: inline-block; border-radius: .35rem; padding: .02rem .45rem; font-size: .78rem; font-weight: 550; white-space: nowrap; color: var(--faint); background: var(--code); vertical-align: .08em; }
.badge.current { color: var(--good); background: var(--good-paper); }
.badge.failing { color: var(--bad); background: var(--bad-paper); }
.badge.moving, .badge.behind { color: var(--move); background: var(--move-paper); }
.badge.held, .badge.waiting { color: var(--hold); background: var(--hold-paper); }
.table { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow-x: auto; margin-top: .6rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; font-weight: 500; color: var(--faint); font-size: .8rem; padding: .5rem .8rem; white-space: nowrap; }
td { padding: .5rem .8rem; border-top: 1px solid var(--line); vertical-align: top; }
td.version { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.wide { min-width: 16rem; color: var(--faint); overflow-wrap: anywhere; }
code, pre { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .84em; }
code { background: var(--code); border-radius: .3rem; padding: .05rem .3rem; overflow-wrap: anywhere; }
code.digest { background: none; padding: 0; }
pre { background: var(--code); border-radius: .5rem; padding: .7rem .85rem; margin: .6rem 0 0; overflow: auto; max-height: 24rem; white-space: pre-wrap; overflow-wrap: anywhere; }
pre.log { border-left: 3px solid var(--bad); }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 2rem; }
.jobs, .events, .evidence { list-style: none; margin: 0; padding: 0; font-size: .9rem; }
.jobs li, .events li, .evidence li { padding: .38rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.events li { display: grid; grid-template-columns: 8.5rem 1fr auto; gap: .75rem; }
.events time { white-space: nowrap; font-size: .84rem; }
.kind, .where { color: var(--faint); font-size: .84rem; }
.events .build-failed .kind, .events .gate-failed .kind, .events .image-failed .kind, .events .problem .kind, .events .source-failed .kind, .events .finding-opened .kind { color: var(--bad); }
.events .published .kind, .events .image-published .kind, .events .proposal-merged .kind, .events .finding-closed .kind { color: var(--good); }
.where.active { color: var(--move); } .where.failed { color: var(--bad); }
.answer { font-size: 1.08rem; max-width: 52rem; overflow-wrap: anywhere; }
.stops { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; }
.stop { flex: 1 1 9rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .6rem .85rem; min-width: 0; }
.stop span { display: block; color: var(--faint); font-size: .8rem; }
.stop b { font-size: 1.1rem; font-weight: 600; overflow-wrap: anywhere; } .stop.none b { color: var(--faint); font-weight: 400; }
.stop small { display: block; font-size: .8rem; overflow-wrap: anywhere; }
@media (max-width: 44rem) {
  thead { display: none; }
  tr { display: block; padding: .5rem 0; border-top: 1px solid var(--line); } tr:first-child { border-top: 0; }
  td { display: grid; grid-template-columns: 5.5rem 1fr; border: 0; padding: .12rem .85rem; }
  td::before { content: attr(data-label); color: var(--faint); font-size: .82rem; }
  td.wide { min-width: 0; } td > * { justify-self: start; }
  td.version { white-space: normal; }
  .events li { grid-template-columns: 1fr auto; gap: .1rem .75rem; } .events li > :nth-child(2) { grid-column: 1 / -1; grid-row: 2; }
}
`.trimStart();

/**
 * The script at /page.js. Turns times into how long ago they are, and where the page is live, asks for the page again when
 * something happened and puts its new <main> in place: the server alone writes HTML.
 */
export const pageJs = `
'use strict';
(() => {
  const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  function ago(at) {
    const seconds = Math.round((Date.now() - Date.parse(at)) / 1000);
    const [name, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? units[3];
    const text = Math.floor(Math.abs(seconds) / size) + ' ' + name;
    return seconds < 0 ? 'in ' + text : text + ' ago';
  }
  function times() {
    for (const one of document.querySelectorAll('time')) {
      if (!Number.isNaN(Date.parse(one.dateTime))) one.textContent = ago(one.dateTime);
    }
  }
  times();
  setInterval(times, 5000);
  const live = document.getElementById('live');
  if (!document.body.hasAttribute('data-live') || !window.EventSource || live === null) return;
  live.hidden = false;
  let waiting = false;
  async function refresh() {
    waiting = false;
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
      if (fresh === null) return;
      document.querySelector('main').replaceWith(document.adoptNode(fresh));
      times();
    } catch { /* the next event tries again */ }
  }
  function soon() {
    if (waiting) return;
    waiting = true;
    setTimeout(refresh, 700);
  }
  const source = new EventSource('/v1/events');
  const say = (text, off) => { live.textContent = text; live.classList.toggle('off', off); };
  source.onopen = () => { say('live', false); soon(); };
  source.onerror = () => say('reconnecting', true);
  source.onmessage = soon;
  setInterval(soon, 30000);
})();
`.trimStart();
