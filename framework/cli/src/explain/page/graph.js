// The memory around the block: where each block stands is settled once, which pointers there are at each step.

const BOX = { width: 146, height: 42, across: 64, down: 15, rows: 7 };
const LEAST = 0.8; // how small the letters may get, to fit
const NEAR = 2; // how many pointers away from the block is near
const SMALL = 12; // blocks that are shown together anyway
const HELD_BY = 'thread';

/** The holders and blocks that ever had a pointer between them, both ways. */
const neighbours = () => {
  const of = new Map();
  const join = (a, b) => of.set(a, (of.get(a) ?? new Set()).add(b));
  for (const pointer of data.pointers) {
    join(pointer.holder, pointer.to);
    join(pointer.to, pointer.holder);
  }
  return of;
};

/** The ids within so many pointers of the finding's block. */
const near = () => {
  const of = neighbours();
  let found = new Set([data.block]), edge = [data.block];
  for (let i = 0; i < NEAR; i++) {
    edge = edge.flatMap(id => [...(of.get(id) ?? [])]).filter(id => !found.has(id));
    edge.forEach(id => found.add(id));
  }
  return found;
};

/** `insert 0..8 at node.rs:22`: without the folders. */
const shortPath = text => text.replaceAll('`', '').replace(/[^\s]*\/([^\s/]+)$/, '$1');

class Graph {
  constructor(host) {
    this.host = host;
    this.step = 0;
    this.roots = new Map(data.roots.map(root => [root.id, root]));
    // Roots of one name cannot be told apart, and are one.
    const first = new Map([...data.roots].reverse().map(root => [root.name, root.id]));
    this.nodeOf = id => first.get(this.roots.get(id)?.name) ?? id;
    const close = data.block === null ? null : near();
    const far = close ? data.blocks.filter(block => !close.has(block.id)).length : 0;
    this.close = close && far > 0 && data.blocks.length > SMALL ? close : null;
    host.innerHTML = this.frame();
    this.view = host.querySelector('.view');
    host.querySelector('input')?.addEventListener('change', event => this.layout(event.target.checked));
    this.layout(!this.close);
  }

  frame() {
    const key = (name, text) => `<li class="${name}"><svg width="26" height="12" aria-hidden="true">${text[0]}</svg>${text[1]}</li>`;
    const line = '<path d="M1 6h20"/><path d="M25 6l-7 -4v8z" class="tip"/>';
    return '<div class="view" tabindex="0" role="group" aria-label="Memory at the step, as a graph"></div>' +
      '<ul class="legend">' + key('edge', [line, 'pointer']) + key('edge dangling', [line, 'dangling pointer']) +
      key('node live', ['<rect x="1" y="1" width="24" height="10" rx="2"/>', 'live']) +
      key('node freed', ['<rect x="1" y="1" width="24" height="10" rx="2"/>', 'freed']) +
      (data.block === null ? '' : key('node live found', ['<rect x="1" y="1" width="24" height="10" rx="2"/>', 'the finding’s'])) +
      '</ul>' + (this.close ? `<label><input type="checkbox"> all ${data.blocks.length} blocks</label>` : '');
  }

  /** Layers by distance from what holds pointers from outside, the rows in each by where pointers come from. */
  layout(all) {
    const shown = id => all || this.close.has(id);
    const pointers = data.pointers.filter(p => shown(p.to) && shown(p.holder) && blocks.has(p.to));
    const holders = new Set(pointers.map(p => this.nodeOf(p.holder)));
    this.ids = [...this.roots.keys()].filter(id => holders.has(id));
    const starts = [...this.ids];
    this.ids.push(...data.blocks.map(b => b.id).filter(shown));
    this.pairs = this.paired(pointers);
    const layers = this.layers(starts);
    if (held) this.beside(layers);
    this.place(this.columns(layers));
    this.fit = true;
    this.show(this.step);
  }

  paired(pointers) {
    const pairs = new Map();
    for (const pointer of pointers) {
      const holder = this.nodeOf(pointer.holder), key = `${holder}>${pointer.to}`;
      if (!pairs.has(key)) pairs.set(key, { holder, to: pointer.to, pointers: [] });
      pairs.get(key).pointers.push(pointer);
    }
    return [...pairs.values()];
  }

  layers(starts) {
    const of = new Map(starts.map(id => [id, 0]));
    const out = new Map();
    for (const { holder, to } of this.pairs) out.set(holder, [...(out.get(holder) ?? []), to]);
    const spread = ids => {
      for (let edge = ids; edge.length;) {
        const next = [];
        for (const id of edge) for (const to of out.get(id) ?? []) {
          if (!of.has(to)) of.set(to, of.get(id) + 1), next.push(to);
        }
        edge = next;
      }
    };
    spread(starts);
    // What no root ever led to begins a layer of its own right after them.
    for (const id of this.ids) if (!of.has(id)) of.set(id, 1), spread([id]);
    const layers = [];
    for (const id of this.ids) (layers[of.get(id)] ??= []).push(id);
    return layers.filter(Boolean);
  }

  /** Puts the thread that holds a pointer right before the block. */
  beside(layers) {
    const layer = layers.findIndex(ids => ids.includes(data.block));
    if (layer === 0) layers.unshift([]);
    layers[Math.max(0, layer - 1)].push(HELD_BY);
    this.ids.unshift(HELD_BY);
    this.pairs.push({ holder: HELD_BY, to: data.block, pointers: [] });
  }

  /** Rows sorted by the mean row of what points there; layers that are too long are folded. */
  columns(layers) {
    const row = new Map();
    layers.forEach(layer => layer.forEach((id, i) => row.set(id, i)));
    for (let sweep = 0; sweep < 4; sweep++) {
      layers.forEach(layer => {
        const mean = new Map(layer.map(id => {
          const from = this.pairs.filter(p => p.to === id && row.has(p.holder)).map(p => row.get(p.holder));
          return [id, from.length ? from.reduce((a, b) => a + b, 0) / from.length : row.get(id)];
        }));
        layer.sort((a, b) => mean.get(a) - mean.get(b) || this.ids.indexOf(a) - this.ids.indexOf(b));
        layer.forEach((id, i) => row.set(id, i));
      });
    }
    const folded = layer => {
      const parts = Math.ceil(layer.length / BOX.rows), size = Math.ceil(layer.length / parts);
      return Array.from({ length: parts }, (_, i) => layer.slice(i * size, (i + 1) * size));
    };
    return layers.flatMap(folded);
  }

  place(columns) {
    this.at = new Map();
    const rows = Math.max(1, ...columns.map(column => column.length));
    const down = BOX.height + BOX.down;
    columns.forEach((column, i) => column.forEach((id, j) => {
      const top = (rows - column.length) * down / 2;
      this.at.set(id, { x: 10 + i * (BOX.width + BOX.across), y: 12 + top + j * down });
    }));
    this.width = 20 + columns.length * (BOX.width + BOX.across) - BOX.across + 16;
    this.height = 20 + rows * down;
  }

  show(step) {
    this.step = step;
    const edges = this.pairs.map(pair => this.edge(pair, step)).join('') + this.holding(step);
    const scale = clamp((this.view.clientWidth - 2) / this.width, LEAST, 1);
    const nodes = this.ids.map(id => this.node(id, step)).join('');
    this.view.innerHTML = `<svg width="${this.width * scale}" height="${this.height * scale}" role="img" ` +
      `viewBox="0 0 ${this.width} ${this.height}" ` +
      `aria-label="${escaped(this.said(step))}"><defs><pattern id="dead" width="6" height="6" ` +
      'patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V6" class="hatch"/></pattern></defs>' +
      `${edges}${nodes}</svg>`;
    if (this.fit) this.center();
    this.fit = false;
  }

  /** Scrolls the finding's block into the view, once. */
  center() {
    const at = this.at.get(data.block);
    if (!at) return;
    const scale = this.view.scrollWidth / Math.max(this.view.scrollWidth, this.width);
    this.view.scrollLeft = (at.x + BOX.width / 2) * scale - this.view.clientWidth / 2;
    this.view.scrollTop = (at.y + BOX.height / 2) * scale - this.view.clientHeight / 2;
  }

  said(step) {
    const live = data.blocks.filter(block => isLive(block, step)).length;
    const dangling = data.pointers.filter(p => this.validity(p, step) === 'dangling').length +
      (this.isHeldDangling(step) ? 1 : 0);
    return `At step ${step}: ${live} live blocks, ${dangling} dangling pointers`;
  }

  /** Whether a pointer is there at a step, and whether it leads to a live block. */
  validity(pointer, step) {
    if (step < pointer.since || (pointer.until !== null && step >= pointer.until)) return null;
    const holder = blocks.get(pointer.holder), to = blocks.get(pointer.to);
    if (!to || to.allocated > step || (holder && holder.allocated > step)) return null;
    if (holder && isFreed(holder, step)) return 'stale';
    return isFreed(to, step) ? 'dangling' : 'valid';
  }

  edge({ holder, to, pointers }, step) {
    const now = pointers.map(p => [p, this.validity(p, step)]).filter(p => p[1]);
    if (!now.length || !this.at.has(holder) || !this.at.has(to)) return '';
    const kind = ['dangling', 'valid', 'stale'].find(kind => now.some(p => p[1] === kind));
    const said = now.map(([p]) => `${this.named(p.holder)} +${p.offset} leads to ${this.named(p.to)}` +
      (p.to_offset ? ` +${p.to_offset}` : '') + `, since step ${p.since}, by ${threadName(p.by)}`);
    const label = holder === data.block || to === data.block ? now.map(([p]) => `+${p.offset}`).join(' ') : '';
    return this.arrow(holder, to, kind, said.join('\n'), clipped(label, 9));
  }

  isHeldDangling(step) {
    const block = blocks.get(data.block);
    return Boolean(held && block && step >= held.from && step <= held.to && isFreed(block, step));
  }

  /** The pointer that the thread has loaded and will use. */
  holding(step) {
    const block = blocks.get(data.block);
    if (!held || !block || step < held.from || step > held.to || block.allocated > step) return '';
    const kind = this.isHeldDangling(step) ? 'dangling' : 'valid';
    const said = `${threadName(held.thread)} holds a pointer to ${block.name} from step ${held.from} to ${held.to}`;
    return this.arrow(HELD_BY, data.block, kind, said, kind === 'dangling' ? 'dangling' : '');
  }

  arrow(holder, to, kind, said, label) {
    const a = this.at.get(holder), b = this.at.get(to);
    const forward = b.x > a.x, back = b.x < a.x;
    const side = forward ? -1 : 1; // from where it comes to the target: its left, or its right
    const from = { x: back ? a.x : a.x + BOX.width, y: a.y + BOX.height / 2 };
    const end = { x: forward ? b.x : b.x + BOX.width, y: b.y + BOX.height / 2 + (holder === to ? 10 : 0) };
    const bend = b.x === a.x ? 44 : Math.max(30, Math.abs(end.x - from.x) * 0.4);
    const tip = `l${8 * side} -4v8z`, base = end.x + 7 * side;
    const path = `M${from.x} ${from.y}C${from.x + (back ? -bend : bend)} ${from.y} ` +
      `${base + bend * side} ${end.y} ${base} ${end.y}`;
    const text = label ? `<text x="${forward ? end.x - 9 : end.x + 14}" y="${end.y - 6}" ` +
      `text-anchor="${forward ? 'end' : 'start'}">${escaped(label)}</text>` : '';
    return `<g class="edge ${kind}"><title>${escaped(said)}</title><path d="${path}" class="reach"/><path d="${path}"/>` +
      `<path d="M${end.x} ${end.y}${tip}" class="tip"/>${text}</g>`;
  }

  named(id) {
    return blocks.get(id)?.name ?? this.roots.get(id)?.name ?? `block ${id}`;
  }

  node(id, step) {
    if (id === HELD_BY) {
      const holds = step >= held.from && step <= held.to ? 'holds a pointer' : '';
      return this.box(id, 'root', threadName(held.thread), holds, threadName(held.thread));
    }
    const name = this.roots.get(id)?.name;
    if (name !== undefined) return this.box(id, 'root', name, '', name);
    const block = blocks.get(id), found = id === data.block ? ' found' : '';
    if (block.allocated > step) {
      return found ? this.box(id, 'yet found', block.name, `from step ${block.allocated}`, 'not yet allocated') : '';
    }
    const freed = isFreed(block, step);
    const by = block.freed_by === null ? '' : ` by ${threadName(block.freed_by)}`;
    const said = `${block.name}, ${block.size} bytes, from ${block.from}, allocated at step ${block.allocated} by ` +
      threadName(block.by) + (freed ? `, freed at step ${block.freed}${by}` : '');
    const line = freed ? `freed at ${block.freed}` + (block.freed_by === null ? '' : ` by ${block.freed_by}`) : shortPath(block.from);
    return this.box(id, (freed ? 'freed' : 'live') + found, block.name, line, said);
  }

  box(id, kind, name, line, said) {
    const { x, y } = this.at.get(id);
    const size = `x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="${kind === 'root' ? 22 : 5}"`;
    const indent = kind === 'root' ? 16 : 9;
    return `<g class="node ${kind}"><title>${escaped(said)}</title><rect ${size}/>` +
      (kind.startsWith('freed') ? `<rect ${size} class="hatched"/>` : '') +
      `<text x="${x + indent}" y="${y + (line ? 18 : 26)}" class="name">${escaped(clipped(name, 19))}</text>` +
      (line ? `<text x="${x + indent}" y="${y + 33}">${escaped(clipped(line, 22))}</text>` : '') + '</g>';
  }
}
