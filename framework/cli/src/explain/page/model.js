// What the explanation says of a step. Nothing here touches the page.

const began = performance.now();
const data = JSON.parse(document.getElementById('explanation').textContent);
const root = document.documentElement;
const blocks = new Map(data.blocks.map(block => [block.id, block]));

const threadName = id => {
  const thread = data.threads.find(thread => thread.id === id);
  return thread && thread.name ? `thread ${id} (${thread.name})` : `thread ${id}`;
};
const shortName = id => {
  const thread = data.threads.find(thread => thread.id === id);
  return thread && thread.name ? `${id} ${thread.name}` : `thread ${id}`;
};
const clamp = (n, low, high) => Math.max(low, Math.min(high, n));
const escaped = text =>
  String(text).replace(/[&<>"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
/** Text with what stands between backticks as code. */
const prose = text => escaped(text).replace(/`([^`]+)`/g, '<code>$1</code>');
const clipped = (text, characters) =>
  text.length <= characters ? text : characters < 4 ? '' : text.slice(0, characters - 1) + '…';

const walk = data.walk.map((event, i) => ({ ...event, number: i + 1 }));
const stepOf = role => walk.find(event => event.role === role)?.step;

// More than a few preemptions are no places to stop at.
const preempted = data.runs.filter(run => run.ends === 'preempted');
const FEW = 12;

/** Everything with a step of its own, in order, with words for it. */
const events = [
  ...walk.map(e => ({ step: e.step, thread: e.thread, kind: 'walk', number: e.number, role: e.role,
    text: `${e.role}: ${threadName(e.thread)} ${e.what}` + (e.operation ? `, in \`${e.operation}\`` : '') })),
  ...data.faults.map(f => ({ step: f.step, thread: f.thread, kind: 'fault',
    text: `fault in ${threadName(f.thread)}: ${f.text}` })),
  ...data.notes.map(n => ({ step: n.step, thread: n.thread, kind: 'note',
    text: `${threadName(n.thread)} notes: ${n.text} (${n.level}, ${n.target})` })),
  ...(preempted.length > FEW ? [] : preempted).map(r => ({ step: r.to, thread: r.thread, kind: 'switch',
    text: `${threadName(r.thread)} is preempted after this step` })),
  ...(data.inflection_step ? [{ step: data.inflection_step, thread: null, kind: 'inflection',
    text: 'from here on it cannot be avoided' }] : []),
].filter(e => e.step >= 1 && e.step <= data.steps).sort((a, b) => a.step - b.step);
const stops = [...new Set(events.map(e => e.step))];

/** The last of these, sorted by `from`, that has begun at a step. */
const lastBegun = (list, step) => {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].from <= step) low = middle + 1; else high = middle;
  }
  return list[low - 1];
};

const byThread = list => {
  const of = new Map(data.threads.map(t => [t.id, []]));
  for (const item of list) of.get(item.thread)?.push(item);
  of.forEach(items => items.sort((a, b) => a.from - b.from));
  return of;
};
const runsOf = byThread(data.runs);
const operationsOf = byThread(data.operations);
const runs = [...data.runs].sort((a, b) => a.from - b.from);

const operationAt = (thread, step) => {
  const operation = lastBegun(operationsOf.get(thread) ?? [], step);
  return operation && operation.to >= step ? operation : null;
};

const STANDS = { preempted: 'preempted', waits: 'waits', yields: 'has yielded', end: 'has ended' };

/** What a thread does at a step: `running`, and in words. */
const stateOf = (thread, step) => {
  const own = runsOf.get(thread) ?? [];
  const run = lastBegun(own, step);
  if (!run) return { running: false, text: own.length ? 'not started' : 'never runs' };
  if (run.to >= step) return { running: true, text: 'runs' };
  const ended = run.ends === 'end' && run !== own[own.length - 1] ? 'not running' : STANDS[run.ends];
  return { running: false, text: `${ended ?? 'not running'} since step ${run.to}` };
};

/** From which step to which a thread held a pointer that it had loaded: nothing in memory tells of that. */
const held = (() => {
  const used = walk.find(e => e.role === 'used');
  if (!used || data.block === null) return null;
  const loads = walk.filter(e => e.role === 'loaded' && e.thread === used.thread && e.step <= used.step);
  const from = loads.length ? Math.min(...loads.map(e => e.step)) : used.step;
  return { thread: used.thread, from, to: used.step };
})();

const isLive = (block, step) => block.allocated <= step && (block.freed === null || step < block.freed);
const isFreed = (block, step) => block.freed !== null && block.freed <= step;
