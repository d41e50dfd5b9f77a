// The chosen step, and what shows it: buttons, keys, the address, the walk and the code.

const element = id => document.getElementById(id);
const explorer = element('execution');
const LEAST_MEMORY = 240, LEAST_CODE = 90; // pixels
let chosen = 0, pending = 0, noted = 0, timeline = null, graph = null;

const stepInAddress = () => Number(/(?:^#|&)step=(\d+)/.exec(location.hash)?.[1] ?? 0);
const firstStep = () => stepInAddress() || stepOf('used') || stops[stops.length - 1] || data.steps;

/** Chooses a step. What is drawn of it comes with the next frame, so that dragging stays smooth. */
function choose(step) {
  step = clamp(step, 1, data.steps);
  if (!explorer || step === chosen) return;
  chosen = step;
  if (!pending) pending = requestAnimationFrame(() => { pending = 0; show(); });
  clearTimeout(noted);
  // Browsers allow a page only so many changes of its address a second.
  noted = setTimeout(note, 150);
}

function note() {
  if (stepInAddress() === chosen) return;
  try { history.replaceState(null, '', `#step=${chosen}`); } catch { /* a page in a sandbox has no address */ }
}

function show() {
  root.dataset.step = chosen;
  timeline.show(chosen);
  graph?.show(chosen);
  element('step').textContent = `${chosen} / ${data.steps}`;
  showNow();
  showThreads();
  showPlaces();
}

function showNow() {
  const run = lastBegun(runs, chosen);
  const operation = run && operationAt(run.thread, chosen);
  const who = run ? `${threadName(run.thread)} runs` + (operation ? ` \`${operation.text}\`` : '') : '';
  const here = events.filter(event => event.step === chosen);
  element('now').innerHTML = prose(`Step ${chosen} of ${data.steps}` + (who ? `: ${who}` : ''));
  element('here').innerHTML = here.map(event => `<li class="of-${event.kind}">` +
    (event.number ? `<span class="number">${event.number}</span> ` : '') + `${prose(event.text)}</li>`).join('');
  const said = [who, ...here.map(event => event.text)].filter(Boolean).join('; ');
  timeline.scroll.setAttribute('aria-valuetext', `step ${chosen}${said ? `: ${said}` : ''}`);
}

function showThreads() {
  element('threads').innerHTML = data.threads.map(thread => {
    const { running, text } = stateOf(thread.id, chosen), operation = operationAt(thread.id, chosen);
    return `<li${running ? ' class="running"' : ''}><b>${escaped(shortName(thread.id))}</b>` +
      `<span>${operation ? `<code>${escaped(operation.text)}</code>` : '<span class="quiet">in no operation</span>'}</span>` +
      `<span class="quiet">${escaped(text)}</span></li>`;
  }).join('');
}

/** Marks the step of the walk, and the lines of code, that are of the chosen step. */
function showPlaces() {
  const here = walk.filter(event => event.step === chosen);
  const sites = new Set(here.flatMap(event => event.places.map(place => place.site)));
  for (const item of document.querySelectorAll('[data-event]')) {
    const now = here.some(event => event.number === Number(item.dataset.event));
    item.classList.toggle('chosen', now);
    const link = item.querySelector('a');
    now ? link.setAttribute('aria-current', 'step') : link.removeAttribute('aria-current');
  }
  for (const excerpt of document.querySelectorAll('.excerpt')) {
    let any = false;
    for (const line of excerpt.querySelectorAll('.line')) {
      const now = sites.has(line.dataset.site);
      line.classList.toggle('chosen', now);
      any ||= now;
    }
    excerpt.classList.toggle('chosen', any);
  }
  const code = [...document.querySelectorAll('#source .excerpt.chosen')].map(excerpt => excerpt.cloneNode(true));
  element('code').replaceChildren(...code);
  stick();
}

/** Goes to the timeline if it is out of sight, as it is below the walk on a phone. */
function comeIntoView() {
  const { top, bottom } = element('timeline').getBoundingClientRect();
  if (bottom > 60 && top < innerHeight - 60) return;
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  explorer.scrollIntoView({ behavior: calm ? 'auto' : 'smooth' });
}

/** Keeps the execution beside the walk: the memory and the code get what room the window has left. */
function stick() {
  const code = element('code'), memory = explorer.querySelector('.memory');
  const room = innerHeight - 24 - (explorer.offsetHeight - code.offsetHeight - memory.offsetHeight);
  explorer.style.setProperty('--room', `${Math.max(LEAST_MEMORY, room)}px`);
  explorer.classList.toggle('sticks', room >= LEAST_MEMORY);
  const left = room - memory.offsetHeight;
  code.style.maxHeight = room >= LEAST_MEMORY ? `${left}px` : '';
  code.hidden = room >= LEAST_MEMORY && left < LEAST_CODE;
  const line = code.querySelector('.line.chosen');
  if (line) code.scrollTop = line.offsetTop - code.clientHeight / 2;
}

const next = () => choose(stops.find(step => step > chosen) ?? chosen);
const previous = () => choose(stops.findLast(step => step < chosen) ?? chosen);
const to = role => { const step = stepOf(role); if (step) choose(step); };

const actions = {
  'previous-event': previous, 'next-event': next,
  'previous': () => choose(chosen - 1), 'next': () => choose(chosen + 1),
  'first': () => choose(1), 'last': () => choose(data.steps),
  'to-free': () => to('freed'), 'to-use': () => to('used'),
  'in': () => timeline.zoomTo(timeline.zoom * 1.6), 'out': () => timeline.zoomTo(timeline.zoom / 1.6),
  'fit': () => timeline.zoomTo(1),
  'help': () => element('keys').showModal(),
};
const KEYS = {
  ArrowLeft: 'previous', ArrowRight: 'next', p: 'previous-event', n: 'next-event', f: 'to-free', u: 'to-use',
  '+': 'in', '=': 'in', '-': 'out', 0: 'fit', '?': 'help',
};
// These scroll the page where the timeline has not the focus.
const TIMELINE_KEYS = { ArrowUp: 'previous-event', ArrowDown: 'next-event', Home: 'first', End: 'last' };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || element('keys').open) return;
  const target = event.target;
  if (target.closest?.('input, textarea, select')) return;
  const within = timeline.scroll.contains(target);
  // Arrows scroll a box that has the focus and is wider than its room.
  if (!within && event.key.startsWith('Arrow') && target.closest?.('.view, .lines, pre')) return;
  const action = KEYS[event.key] ?? (within ? TIMELINE_KEYS[event.key] : undefined);
  if (!action) return;
  event.preventDefault();
  actions[action]();
}

function listen() {
  addEventListener('keydown', onKey);
  addEventListener('hashchange', () => { if (stepInAddress()) choose(stepInAddress()); });
  // A link to the step that the address names already changes no address.
  document.addEventListener('click', event => {
    const link = event.target.closest?.('a[href^="#step="]');
    if (!link) return;
    choose(Number(link.hash.slice('#step='.length)));
    comeIntoView();
  });
  element('controls').addEventListener('click', event => {
    const button = event.target.closest('button');
    if (button) actions[button.dataset.do]();
  });
}

function explore() {
  element('controls').hidden = explorer.querySelector('.memory').hidden = false;
  timeline = new Timeline(element('timeline'), choose);
  if (element('graph')) graph = new Graph(element('graph'));
  chosen = clamp(firstStep(), 1, data.steps);
  listen();
  show();
  new ResizeObserver(stick).observe(explorer);
  addEventListener('resize', stick);
}

/** Light, dark, or as the system has it. */
function themed() {
  const button = element('theme'), all = ['', 'light', 'dark'];
  const names = { '': 'Theme: system', light: 'Theme: light', dark: 'Theme: dark' };
  const set = theme => {
    theme ? (root.dataset.theme = theme) : delete root.dataset.theme;
    button.textContent = names[theme];
  };
  let theme = '';
  // A page from a file may have no store.
  try { theme = all.includes(localStorage.mapcheckTheme) ? localStorage.mapcheckTheme : ''; } catch { theme = ''; }
  set(theme);
  button.hidden = false;
  button.addEventListener('click', () => {
    theme = all[(all.indexOf(theme) + 1) % all.length];
    set(theme);
    try { localStorage.mapcheckTheme = theme; } catch { /* then it is for this time */ }
  });
}

function copying() {
  const button = element('copy'), command = element('command');
  if (!button) return;
  button.hidden = false;
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(command.textContent);
      button.textContent = 'Copied';
    } catch {
      // What is marked can be copied by hand.
      getSelection().selectAllChildren(command);
      button.textContent = 'Marked';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
}

themed();
copying();
if (explorer) explore();
// How long it took: from the script's begin, and until the frame with all of it has been made.
root.dataset.script = (performance.now() - began).toFixed(1);
requestAnimationFrame(() => setTimeout(() => { root.dataset.drawn = performance.now().toFixed(1); }));
