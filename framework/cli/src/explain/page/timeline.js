// The timeline: a lane a thread, the block's life below. Steps are as wide as they are of interest.

const DENSE = data.threads.length > 10;
const LANE = DENSE ? 31 : 46; // of its height, bars begin at BAR.top, and runs and marks are around LINE
const BAR = DENSE ? { top: 1, height: 13 } : { top: 4, height: 18 };
const LINE = DENSE ? 22 : 32;
const AXIS = 24, RIBBON = 24, HELD = 20, GAP = 8;
const MARKED = 15; // how wide a step with a mark is, at least
const MANY = 60; // more operations than these get no room of their own
const LETTER = 6.3; // about, in the font of the bars

/** Where steps lie across a width: each run and each marked step has room, long stretches have little more. */
const scaleFor = width => {
  const marked = new Set(stops);
  const cuts = new Set([0, data.steps]);
  for (const run of data.runs) cuts.add(clamp(run.from - 1, 0, data.steps)).add(clamp(run.to, 0, data.steps));
  if (data.operations.length <= MANY) {
    for (const { from, to } of data.operations) cuts.add(clamp(from - 1, 0, data.steps)).add(clamp(to, 0, data.steps));
  }
  for (const step of marked) cuts.add(step - 1).add(step);
  const ends = [...cuts].sort((a, b) => a - b);
  const isMark = i => ends[i + 1] - ends[i] === 1 && marked.has(ends[i + 1]);
  const weight = i => 1 + 1.4 * Math.log2(1 + ends[i + 1] - ends[i]);
  let marks = 0, sum = 0;
  for (let i = 0; i + 1 < ends.length; i++) isMark(i) ? marks++ : (sum += weight(i));
  const wide = Math.min(MARKED, width * 0.6 / Math.max(1, marks));
  const unit = sum > 0 ? Math.max(0, width - wide * marks) / sum : 0;
  const mark = sum > 0 ? Math.max(wide, Math.min(unit * 4, 2 * MARKED)) : width / Math.max(1, marks);
  const rest = sum > 0 ? (width - mark * marks) / sum : 0;
  const xs = [0];
  for (let i = 0; i + 1 < ends.length; i++) xs.push(xs[i] + (isMark(i) ? mark : weight(i) * rest));
  return { ends, xs, width };
};

const segment = (list, value) => {
  let low = 0, high = list.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (list[middle] <= value) low = middle; else high = middle - 1;
  }
  return low;
};
const between = (from, to, value) => {
  const i = segment(from, value);
  const span = from[i + 1] - from[i];
  return span > 0 ? to[i] + (to[i + 1] - to[i]) * (value - from[i]) / span : to[i];
};

const isFatal = event => event.role === 'used' || event.role === 'freed';

class Timeline {
  constructor(host, choose) {
    this.host = host;
    this.choose = choose;
    this.zoom = 1;
    this.step = 0;
    this.lanes = new Map(data.threads.map((thread, i) => [thread.id, AXIS + i * LANE]));
    this.below = AXIS + data.threads.length * LANE;
    this.block = data.block === null ? null : blocks.get(data.block) ?? null;
    const rows = this.block ? GAP + RIBBON + (held && held.from < held.to ? HELD : 0) : 0;
    this.height = this.below + rows + 4;
    host.innerHTML = `<div class="names" aria-hidden="true">${this.names()}</div>` +
      '<div class="scroll" tabindex="0" role="slider" aria-label="Step" aria-valuemin="1" ' +
      `aria-valuemax="${data.steps}"><div class="canvas"></div></div>`;
    this.scroll = host.querySelector('.scroll');
    this.canvas = host.querySelector('.canvas');
    this.listen();
    this.draw();
    new ResizeObserver(() => this.resized()).observe(this.scroll);
  }

  names() {
    const name = (text, top, height, full) =>
      `<span style="top:${top}px;line-height:${height}px" title="${escaped(full)}">${escaped(text)}</span>`;
    const lanes = data.threads.map(t => name(shortName(t.id), this.lanes.get(t.id), LANE, threadName(t.id)));
    if (!this.block) return lanes.join('');
    const top = this.below + GAP;
    lanes.push(name('the block', top, RIBBON, `${this.block.name}, from ${this.block.from}`));
    if (held && held.from < held.to) {
      lanes.push(name(`held by ${held.thread}`, top + RIBBON, HELD, `${threadName(held.thread)} holds a pointer to it`));
    }
    return lanes.join('');
  }

  resized() {
    if (Math.abs(this.scroll.clientWidth - this.drawnAt) > 1) this.draw();
  }

  x(point) { return between(this.scale.ends, this.scale.xs, point); }
  middle(step) { return (this.x(step - 1) + this.x(step)) / 2; }

  draw() {
    this.drawnAt = this.scroll.clientWidth;
    const width = Math.max(240, this.drawnAt) * this.zoom;
    this.scale = scaleFor(width);
    this.host.classList.toggle('zoomed', width > this.drawnAt + 1);
    this.canvas.innerHTML =
      `<svg width="${width}" height="${this.height}" viewBox="0 0 ${width} ${this.height}" ` +
      'preserveAspectRatio="none" aria-hidden="true">' +
      '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" ' +
      'patternTransform="rotate(45)"><path d="M0 0V6" class="hatch"/></pattern></defs>' +
      this.axis(width) + this.rails(width) + this.bars() + this.bands() + this.switches() + this.ribbon() +
      this.inflection() + '<g class="cursor"></g>' + this.marks() + '</svg>';
    this.show(this.step);
  }

  axis(width) {
    let out = '', last = -99;
    const candidates = [1, ...stops, ...runs.map(run => run.from), data.steps];
    for (const step of [...new Set(candidates)].sort((a, b) => a - b)) {
      const half = String(step).length * LETTER / 2 + 1;
      const x = clamp(this.middle(step), half, width - half);
      if (x - half < last + 12) continue;
      out += `<text x="${x.toFixed(1)}" y="11" class="tick">${step}</text>` +
        `<path d="M${x.toFixed(1)} 15v4" class="tick"/>`;
      last = x + half;
    }
    return out;
  }

  rails(width) {
    let path = '';
    for (const top of this.lanes.values()) path += `M0 ${top + LANE - 0.5}H${width}`;
    return `<path d="${path}" class="rail"/>`;
  }

  bars() {
    let out = '';
    for (const operation of data.operations) {
      const top = this.lanes.get(operation.thread);
      if (top === undefined) continue;
      const x = this.x(operation.from - 1), width = Math.max(2, this.x(operation.to) - x - 1);
      const text = clipped(operation.text, Math.floor((width - 8) / LETTER));
      out += `<g class="bar"><title>${escaped(operation.text)}, steps ${operation.from} to ${operation.to}` +
        `</title><rect x="${x.toFixed(1)}" y="${top + BAR.top}" width="${width.toFixed(1)}" height="${BAR.height}" rx="3"/>` +
        (text ? `<text x="${(x + 4).toFixed(1)}" y="${top + BAR.top + BAR.height / 2 + 4}">${escaped(text)}</text>` : '') + '</g>';
    }
    return out;
  }

  /** Who ran when: one path a lane, since there may be thousands of runs. */
  bands() {
    const paths = new Map();
    for (const run of data.runs) {
      const top = this.lanes.get(run.thread);
      if (top === undefined) continue;
      const x = this.x(run.from - 1), to = Math.max(x + 0.7, this.x(run.to));
      paths.set(top, (paths.get(top) ?? '') + `M${x.toFixed(1)} ${top + LINE - 3}h${(to - x).toFixed(1)}v6H${x.toFixed(1)}z`);
    }
    return [...paths.values()].map(path => `<path d="${path}" class="band"/>`).join('');
  }

  /** Preemptions: a line from who was preempted to who goes on. */
  switches() {
    let lines = '', ticks = '';
    runs.forEach((run, i) => {
      const next = runs[i + 1], top = this.lanes.get(run.thread);
      if (run.ends !== 'preempted' || top === undefined) return;
      const x = this.x(run.to).toFixed(1);
      ticks += `M${x} ${top + LINE - 8}v16`;
      const to = next && this.lanes.get(next.thread);
      if (to !== undefined && preempted.length <= 5 * FEW) lines += `M${x} ${top + LINE}V${to + LINE}`;
    });
    return `<path d="${lines}" class="switch"/><path d="${ticks}" class="preempted"/>`;
  }

  inflection() {
    if (!data.inflection_step) return '';
    const x = this.middle(data.inflection_step).toFixed(1);
    return `<g class="inflection"><title>From step ${data.inflection_step} on it cannot be avoided: ` +
      `${escaped(data.inflection)}</title><path d="M${x} 17V${this.height}"/>` +
      `<path d="M${x} 15l9 5l-9 5z" class="flag"/></g>`;
  }

  marks() {
    // Steps of the walk that one thread made at once have one mark.
    const shown = [];
    for (const event of events) {
      const same = shown.find(e => e.kind === 'walk' && e.step === event.step && e.thread === event.thread);
      if (event.kind !== 'walk' || !same) shown.push({ ...event, numbers: [event.number] });
      else same.numbers.push(event.number), (same.text += `\n${event.text}`), (same.fatal ||= isFatal(event));
    }
    return shown.map(event => {
      const top = this.lanes.get(event.thread), x = this.middle(event.step);
      return top === undefined || event.kind === 'switch' ? '' : this.mark(event, x, top + LINE);
    }).join('');
  }

  numbered(numbers, x, y) {
    const text = numbers.join(','), half = text.length < 3 ? 7.5 : 3 + 2.8 * text.length;
    const right = this.scale.width - half - 1, at = numbers.length > 1 ? Math.min(x, right) : x;
    return `<rect x="${at - half}" y="${y - 7.5}" width="${2 * half}" height="15" rx="7.5"/><text x="${at}" y="${y + 3.4}"` +
      `${text.length > 1 ? ' class="long"' : ''}>${text}</text>`;
  }

  mark(event, x, y) {
    const title = `<title>step ${event.step}: ${escaped(event.text)}</title>`;
    const shapes = {
      walk: () => this.numbered(event.numbers, x, y),
      fault: () => `<path d="M${x} ${y - 9}l9 9l-9 9l-9 -9z"/><text x="${x}" y="${y + 3.6}">!</text>`,
      note: () => `<rect x="${x - 6}" y="${y - 6}" width="12" height="12" rx="2"/><text x="${x}" y="${y + 3.6}">i</text>`,
    };
    const fatal = event.fatal || isFatal(event) ? ' fatal' : '';
    return `<g class="mark ${event.kind}${fatal}" data-step="${event.step}">${title}${shapes[event.kind]()}</g>`;
  }

  /** The life of the block: what it was to whom, from one event of the walk to the next. */
  ribbon() {
    if (!this.block) return '';
    const top = this.below + GAP;
    // Where it is not known when others could reach it, it is no more than live.
    const first = walk.some(e => e.role === 'published') ? 'private' : 'live';
    const stages = { allocated: first, published: 'reachable', unlinked: 'unlinked', retired: 'retired', freed: 'freed' };
    const points = walk.filter(e => stages[e.role]).map(e => ({ step: e.step, stage: stages[e.role], n: e.number }));
    const { allocated, freed } = this.block;
    if (!points.some(p => p.stage === first)) points.push({ step: allocated, stage: first });
    if (freed !== null && !points.some(p => p.stage === 'freed')) points.push({ step: freed, stage: 'freed' });
    points.sort((a, b) => a.step - b.step);
    const parts = points.map((point, i) => this.stage(point, points[i + 1], top)).join('');
    const marks = walk.filter(e => stages[e.role] || e.role === 'used').map(e =>
      `<circle cx="${this.middle(e.step).toFixed(1)}" cy="${top + 10}" r="3" class="life"/>`).join('');
    return `<g class="ribbon">${parts}${marks}</g>` + this.holding(top + RIBBON);
  }

  stage(point, next, top) {
    const from = this.middle(point.step), to = next ? this.middle(next.step) : this.x(data.steps);
    const width = Math.max(1, to - from), text = clipped(point.stage, Math.floor((width - 12) / LETTER));
    const until = next ? ` to ${next.step}` : ' on';
    const box = `x="${from.toFixed(1)}" y="${top}" width="${width.toFixed(1)}" height="20"`;
    return `<g class="${point.stage}"><title>${point.stage}, from step ${point.step}${until}</title><rect ${box}/>` +
      (['unlinked', 'retired', 'freed'].includes(point.stage) ? `<rect ${box} class="hatched"/>` : '') +
      (text.length === point.stage.length ? `<text x="${(from + 8).toFixed(1)}" y="${top + 14}">${text}</text>` : '') + '</g>';
  }

  holding(top) {
    if (!held || held.from === held.to) return '';
    const from = this.middle(held.from), to = this.middle(held.to), y = top + 8;
    const freed = this.block.freed === null ? to : clamp(this.middle(clamp(this.block.freed, 1, data.steps)), from, to);
    return `<g class="held"><title>${escaped(threadName(held.thread))} holds a pointer to it from step ${held.from}` +
      ` to ${held.to}</title><path d="M${from} ${y - 5}v10M${from} ${y}H${freed}"/>` +
      `<path d="M${freed} ${y}H${to}" class="dangles"/>` +
      `<path d="M${to} ${y}l-7 -4v8z" class="tip${freed < to ? ' fatal' : ''}"/></g>`;
  }

  show(step) {
    this.step = step;
    const cursor = this.canvas.querySelector('.cursor');
    if (!cursor || step < 1) return;
    const from = this.x(step - 1), width = Math.max(1, this.x(step) - from), x = from + width / 2;
    cursor.innerHTML = `<rect x="${from.toFixed(1)}" y="18" width="${width.toFixed(1)}" height="${this.height - 18}"/>` +
      `<path d="M${x.toFixed(1)} 18V${this.height}"/><path d="M${x.toFixed(1)} 22l-5 -6h10z" class="tip"/>`;
    this.scroll.setAttribute('aria-valuenow', step);
    this.keepInView(x);
  }

  keepInView(x) {
    const { scrollLeft, clientWidth } = this.scroll, margin = Math.min(60, clientWidth / 4);
    if (x < scrollLeft + margin) this.scroll.scrollLeft = x - margin;
    else if (x > scrollLeft + clientWidth - margin) this.scroll.scrollLeft = x - clientWidth + margin;
  }

  /** Shows fewer or more steps; what lies at `x` of the canvas stays where it is. */
  zoomTo(zoom, x = this.step ? this.middle(this.step) : 0) {
    const point = between(this.scale.xs, this.scale.ends, clamp(x, 0, this.scale.width));
    const offset = x - this.scroll.scrollLeft;
    this.zoom = clamp(zoom, 1, Math.max(16, data.steps / 8));
    this.draw();
    this.scroll.scrollLeft = this.x(point) - offset;
  }

  stepAt(event) {
    const x = event.clientX - this.canvas.getBoundingClientRect().left;
    const mark = event.target.closest?.('.mark');
    if (mark && event.type !== 'pointermove') return Number(mark.dataset.step);
    return clamp(Math.floor(between(this.scale.xs, this.scale.ends, clamp(x, 0, this.scale.width - 0.01))) + 1, 1, data.steps);
  }

  listen() {
    let dragging = false;
    this.scroll.addEventListener('pointerdown', event => {
      if (event.button !== 0 || event.offsetY > this.scroll.clientHeight + 1) return;
      // A finger that moves over a zoomed timeline scrolls it, and one that goes up or down the page.
      dragging = event.pointerType === 'mouse' || this.zoom === 1;
      if (event.pointerType === 'mouse') this.choose(this.stepAt(event));
    });
    this.scroll.addEventListener('pointermove', event => {
      if (dragging && event.buttons & 1) this.choose(this.stepAt(event));
    });
    this.scroll.addEventListener('click', event => {
      if (event.pointerType !== 'mouse') this.choose(this.stepAt(event));
    });
    for (const end of ['pointerup', 'pointercancel']) addEventListener(end, () => { dragging = false; });
    this.scroll.addEventListener('wheel', event => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const x = event.clientX - this.canvas.getBoundingClientRect().left;
      this.zoomTo(this.zoom * Math.exp(-event.deltaY * 0.004), x);
    }, { passive: false });
  }
}
