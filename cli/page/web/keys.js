/* Keys that work wherever the keyboard is, but for fields and what handles a key itself. */

const choose = (list, at, step) => list[(list.indexOf(at) + step + list.length) % list.length];

const textShown = () => ({ attention: attentionText, neurons: unitText, residual: normText, patches: null })[state.tab];

/* The next stored or not stored token: moves the lock, if there is one. */
function stepToken(step) {
  if (!textShown()) {
    stepRest(step);
    return;
  }
  const next = focusToken() + step;
  if (next < 0 || next >= prompt().tokens.length) return;
  update(state.lockedToken === null ? { lastToken: next, hoverToken: null, cell: null, from: 'keys' } : { lockedToken: next, cell: null, from: 'keys' });
  requestAnimationFrame(() => textShown().follow());
  say(`${next} ${tokenText(next)}`);
}

function stepUnit(step) {
  update({ unit: Math.min(Math.max(state.unit + step, 0), units.length - 1), hoverUnit: null });
}

function stepLayer(step) {
  update({ normLayer: Math.min(Math.max(shownNorm() + step, 0), normsOf(state.normPoint).length - 1) });
}

function stepUpDown(step) {
  if (state.tab === 'attention') stepHead(step * heads.length);
  else if (state.tab === 'neurons') stepUnit(step);
  else if (state.tab === 'residual') stepLayer(step);
  else stepRest(step);
}

function unlockAll() {
  update({ lockedToken: null, hoverToken: null, cell: null, locked: new Set(), hoverHead: null, normLayer: null, patchLocked: null });
}

const mapShown = () => (state.tab === 'patches' ? patchMapShown() : { attention: attentionMap, neurons: unitChart, residual: normMap }[state.tab]);

/* The cell that the pointer or the arrows are at stays where it is. */
function zoomMap(factor) {
  const map = mapShown(), box = state.cell && map.across && state.tab !== 'patches' ? map.rect(state.cell.row, state.cell.column) : null;
  if (box) map.zoom(factor, map.left + box.x + box.width / 2, map.top + box.y + box.height / 2);
  else map.zoom(factor);
}

/* [keys as the list shows them, their help, the keys by name, what each does] */
const KEYS = [
  ['\u2190 \u2192', 'the previous, the next token', { ArrowLeft: () => stepToken(-1), ArrowRight: () => stepToken(1) }],
  ['\u2191 \u2193', 'the same head a layer up or down; the neuron or layer before, after; of a grid with more axes, the head or position', { ArrowUp: () => stepUpDown(-1), ArrowDown: () => stepUpDown(1) }],
  ['Shift \u2190 \u2192', 'the head before, after', { 'Shift+ArrowLeft': () => stepHead(-1), 'Shift+ArrowRight': () => stepHead(1) }],
  ['Space Enter', 'lock or unlock the token; in the grid of heads, the head', { ' ': () => lockToken(focusToken()), Enter: () => lockToken(focusToken()) }],
  ['+ - 0', 'the map larger, smaller, whole', { '+': () => zoomMap(STEP), '=': () => zoomMap(STEP), '-': () => zoomMap(1 / STEP), 0: () => mapShown().whole() }],
  ['/ n N', 'search; the next, the previous place found', { '/': () => $('find').select(), n: () => stepHit(1), N: () => stepHit(-1) }],
  ['s', 'in the grid: this head alone', {}],
  ['Esc', 'unlock everything', { Escape: unlockAll }],
  ['d', 'direction: from the query, to the key', { d: () => update({ direction: choose(['query', 'key'], state.direction, 1) }) }],
  ['m', 'several heads as mean or maximum', { m: () => update({ combine: choose(['mean', 'max'], state.combine, 1) }) }],
  ['l', 'tokens coloured by weight or by loss', { l: () => hasNext && update({ colour: choose(['weights', 'loss'], state.colour, 1) }) }],
  ['c', 'how weights become colours', { c: () => update({ scale: choose(['root', 'linear', 'fit'], state.scale, 1) }) }],
  ['f', 'leave out the first token, or not', { f: () => update({ hideFirst: !state.hideFirst }) }],
  ['v', 'grids by normalised value, metric, standard error', { v: () => grids.length && update({ patchShow: choose(Object.keys(SHOWS), state.patchShow, 1) }) }],
  ['[ ]', 'the prompt before, after', { '[': () => toPrompt(state.prompt - 1), ']': () => toPrompt(state.prompt + 1) }],
  ['1 2 3 4', 'attention, neurons, residual, patches', { 1: () => toTab('attention'), 2: () => toTab('neurons'), 3: () => toTab('residual'), 4: () => toTab('patches') }],
  ['t', 'colours as the system, light, dark', { t: () => update({ theme: choose(['auto', 'light', 'dark'], state.theme, 1) }) }],
  ['?', 'this list', { '?': () => $('keys').showModal() }],
];
const ACTIONS = Object.assign({}, ...KEYS.map(([, , actions]) => actions));

/* Fields keep their keys; buttons space and enter; the tabs their arrows. */
function isTaken(event) {
  const { target, key } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || $('keys').open) return true;
  if (target.matches('input[type="search"]')) return true;
  if (target.matches('select')) return key.length === 1 || key.startsWith('Arrow') || key === 'Enter';
  if ([' ', 'Enter'].includes(key)) return target.matches('button, input');
  return key.startsWith('Arrow') && target.matches('[role="tab"]');
}

function listenKeys() {
  document.addEventListener('keydown', (event) => {
    const action = ACTIONS[event.shiftKey && event.key.startsWith('Arrow') ? `Shift+${event.key}` : event.key];
    if (!action || isTaken(event)) return;
    action();
    event.preventDefault();
  });
  $('keys-list').append(...KEYS.map(([names, words]) => element('tr', {},
    element('td', {}, ...names.split(' ').flatMap((name) => [element('kbd', {}, name), ' '])), element('td', {}, words))));
}
