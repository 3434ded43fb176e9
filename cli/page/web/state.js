/* The state of the page. Changes go through update(), which draws once per frame what they touch. */

const state = {
  tab: '', prompt: 0, theme: 'auto',
  locked: new Set(), hoverHead: null, combine: 'mean',      // heads by their place in the grid
  direction: 'query', scale: 'root', hideFirst: false,
  lockedToken: null, hoverToken: null, lastToken: null, cell: null,          // lastToken: the focus while nothing is under the pointer; cell: { row, column } of a map
  from: '', colour: 'weights',                              // from: where the last choice was made, which need not be scrolled
  unit: 0, hoverUnit: null, unitLayer: 'all',
  normPoint: '', normLayer: null, hoverLayer: null,
  patchMetric: '', patchShow: 'normalised', patchGrids: new Set(), patchLocked: null,         // patchLocked: { panel, at }, a cell of a grid
};

/* The parts that a change of each field makes stale; others only move the focus. */
const STALE = {
  tab: 'page', prompt: 'page', theme: 'page', scale: 'page', hideFirst: 'page', unitLayer: 'page', normPoint: 'page',
  patchMetric: 'picture', patchShow: 'picture', patchGrids: 'picture',
  locked: 'picture', hoverHead: 'picture', combine: 'picture', unit: 'picture', hoverUnit: 'picture', direction: 'focus', colour: 'page',
  from: 'nothing',
};
const ORDER = ['focus', 'picture', 'page'];

let stale = -1;
const drawers = [];         // called with one of ORDER

function redraw() {
  if (stale < 0) return;
  const what = ORDER[stale];
  stale = -1;
  for (const draw of drawers) draw(what);
}

/* Draws anew although no choice has changed. */
function redrawAs(what) {
  if (stale < 0) requestAnimationFrame(redraw);
  stale = Math.max(stale, ORDER.indexOf(what));
}

function update(changes) {
  let touched = -1;
  for (const [name, value] of Object.entries(changes)) {
    if (state[name] === value) continue;
    state[name] = value;
    touched = Math.max(touched, ORDER.indexOf(STALE[name] ?? 'focus'));
  }
  if (touched >= 0) redrawAs(ORDER[touched]);
}

const prompt = () => contents.prompts[state.prompt];

/* The token that everything is about: the locked one, else the one under the pointer, else the one chosen last, else the last stored. */
function focusToken() {
  if (state.lockedToken !== null) return state.lockedToken;
  return state.hoverToken ?? state.lastToken ?? prompt().rows[prompt().rows.length - 1] ?? 0;
}

function lockToken(position, from = '') {
  update({ lockedToken: state.lockedToken === position ? null : position, lastToken: position, from });
}

function toPrompt(i) {
  if (i < 0 || i >= contents.prompts.length) return;
  update({ prompt: i, lockedToken: null, hoverToken: null, lastToken: null, cell: null, from: '' });
}

/* ---- making elements: text is always set as text ---- */

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes('-') || name === 'role') made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/* A token between bars, so that the spaces at its ends are seen; line ends as a sign. */
const visible = (text) => text.replace(/\r?\n|\r/g, '\u21b5').replace(/\t/g, '\u21e5');
const tokenText = (position, of = prompt()) => `|${visible(of.tokens[position] ?? '')}|`;
const tokenName = (position, of) => element('span', { className: 'token-name' }, tokenText(position, of));

function say(text) {
  $('spoken').textContent = text;
}
