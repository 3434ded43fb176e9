/* The attention view: every head small, those shown together large, the tokens as the focus sees them. */

const SMALL = 64, STRONGEST = 12;

const layers = contents.patterns ? contents.patterns.layers : [], heads = contents.patterns ? contents.patterns.heads : [];
const nHeads = layers.length * heads.length;
const headName = (i) => `layer ${layers[Math.floor(i / heads.length)]}, head ${heads[i % heads.length]}`;
const shortName = (i) => `L${layers[Math.floor(i / heads.length)]} H${heads[i % heads.length]}`;

/* ---- which heads are shown ---- */

function shownHeads() {
  if (state.hoverHead !== null) return [state.hoverHead];
  if (state.locked.size) return [...state.locked].sort((a, b) => a - b);
  return Array.from({ length: nHeads }, (_, i) => i);
}

let pattern = null;

function currentPattern() {
  const shown = shownHeads(), key = [state.prompt, state.combine, ...shown].join();
  if (pattern?.key !== key) pattern = Object.assign(new Pattern(prompt(), shown, state.combine), { key });
  return pattern;
}

function toggleHead(i) {
  const locked = new Set(state.locked);
  if (!locked.delete(i)) locked.add(i);
  update({ locked });
}

const soloHead = (i) => update({ locked: new Set([i]) });

/* Another head alone: `step` further in the grid, from the one that is locked. */
function stepHead(step) {
  const at = state.locked.size ? Math.min(...state.locked) : -1;
  const next = at < 0 ? 0 : at + step;
  if (next >= 0 && next < nHeads) soloHead(next);
}

/* How the shown heads are called: "layer 3, head 1", "mean of 3 heads: L0 H1, L3 H1, ...". */
function shownWords() {
  const shown = shownHeads();
  if (shown.length === 1) return headName(shown[0]) + (state.locked.has(shown[0]) ? ', locked' : '');
  const how = state.combine === 'max' ? 'maximum' : 'mean';
  if (!state.locked.size) return `${how} of all ${nHeads} heads`;
  const names = shown.slice(0, 4).map(shortName).join(', ') + (shown.length > 4 ? ', \u2026' : '');
  return `${how} of ${shown.length} heads: ${names}`;
}

/* ---- colours ---- */

const isHidden = (key) => state.hideFirst && key === 0;

function largestOf(shown) {
  let largest = 0;
  prompt().rows.forEach((query, row) => {
    const start = prompt().rowStart[row];
    for (let key = state.hideFirst ? 1 : 0; key <= query; key++) if (shown.values[start + key] > largest) largest = shown.values[start + key];
  });
  return largest;
}

function scaleOf(shown) {
  return weightScale(state.scale, state.scale === 'fit' ? largestOf(shown) : 1);
}

function levelAt(shown, scale, query, key) {
  const value = isHidden(key) ? NaN : shown.value(query, key);
  return Number.isNaN(value) ? -1 : scale(value);
}

/* ---- thumbnails ---- */

const thumbs = [];

function buildThumb(i) {
  const canvas = element('canvas'), thumb = element('button', {
    className: 'thumb', role: 'gridcell', tabIndex: i ? -1 : 0, title: headName(i), 'aria-label': headName(i), 'aria-selected': 'false',
  }, canvas);
  thumb.dataset.head = i;
  thumbs.push({ button: thumb, canvas, fresh: false, seen: false });
  return thumb;
}

const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const thumb = thumbs[Number(target.dataset.head)];
    thumb.seen = isIntersecting;
    if (isIntersecting && !thumb.fresh) drawThumb(Number(target.dataset.head));
  }
});

/* Prompts of more than SMALL tokens: the largest level of every block that a pixel stands for. */
function drawThumb(i) {
  const { canvas } = thumbs[i], shown = new Pattern(prompt(), [i]), scale = scaleOf(shown), { rows, tokens } = prompt();
  const width = Math.min(tokens.length, SMALL), height = Math.min(rows.length, SMALL), levels = new Int16Array(width * height).fill(-1);
  rows.forEach((query, row) => {
    const y = Math.floor(row * height / rows.length);
    for (let key = 0; key <= query; key++) {
      const at = y * width + Math.floor(key * width / tokens.length);
      levels[at] = Math.max(levels[at], levelAt(shown, scale, query, key));
    }
  });
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height), { pixels } = plainPalette();
  new Uint32Array(image.data.buffer).set(Array.from(levels, (at) => (at < 0 ? 0 : pixels[at])));
  canvas.getContext('2d').putImageData(image, 0, 0);
  thumbs[i].fresh = true;
}

function buildGrid() {
  const grid = $('heads'), size = Math.max(24, Math.min(heads.length > 6 ? 46 : 60, Math.floor(420 / heads.length) - 7));
  grid.style.gridTemplateColumns = `auto repeat(${heads.length}, max-content)`;
  grid.style.setProperty('--thumb', `${size}px`);
  grid.append(element('div', { role: 'row' }, element('span', { className: 'number layer', role: 'columnheader' }, ''),
    ...heads.map((head) => element('span', { className: 'number', role: 'columnheader', 'aria-label': `head ${head}` }, head))));
  layers.forEach((layer, y) => {
    const cells = heads.map((_, x) => buildThumb(y * heads.length + x));
    grid.append(element('div', { role: 'row' },
      element('span', { className: 'number layer', role: 'rowheader', 'aria-label': `layer ${layer}` }, `L${layer}`), ...cells));
  });
  for (const { button } of thumbs) watcher.observe(button);
  listenGrid(grid);
}

function listenGrid(grid) {
  const headOf = (event) => {
    const thumb = event.target.closest('.thumb');
    return thumb ? Number(thumb.dataset.head) : null;
  };
  grid.addEventListener('pointermove', (event) => update({ hoverHead: headOf(event) }));
  grid.addEventListener('pointerleave', () => update({ hoverHead: null }));
  grid.addEventListener('focusin', (event) => {
    if (event.target.matches(':focus-visible')) update({ hoverHead: headOf(event) });
  });
  grid.addEventListener('focusout', () => update({ hoverHead: null }));
  grid.addEventListener('click', (event) => headOf(event) !== null && toggleHead(headOf(event)));
  grid.addEventListener('dblclick', (event) => headOf(event) !== null && soloHead(headOf(event)));
  grid.addEventListener('keydown', (event) => gridKey(event, headOf(event)));
}

function gridKey(event, at) {
  const step = { ArrowUp: -heads.length, ArrowDown: heads.length, ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (at === null || (!step && event.key !== 's')) return;
  if (event.key === 's') soloHead(at);
  else if (at + step >= 0 && at + step < nHeads) thumbs[at + step].button.focus();
  event.preventDefault();
  event.stopPropagation();
}

function markThumbs() {
  const shown = new Set(shownHeads()), place = state.hoverHead ?? Math.min(nHeads - 1, ...state.locked);
  thumbs.forEach(({ button }, i) => {
    button.setAttribute('aria-selected', state.locked.has(i));
    button.classList.toggle('shown', shown.size < nHeads && shown.has(i));
    button.tabIndex = i === (state.locked.size || state.hoverHead !== null ? place : 0) ? 0 : -1;
  });
}

/* ---- tooltips ---- */

/* The two ends of a weight and the weight itself. */
function pairRows(query, key) {
  const shown = currentPattern(), rows = [['heads', shownWords()],
    ['query', element('span', {}, `${query} `, tokenName(query))], ['key', element('span', {}, `${key} `, tokenName(key))],
    ['weight', shown.text(query, key), 'value']];
  if (shown.sink(query) >= 0) rows.push(['sink has', shown.textAt(shown.sink(query))]);
  return rows;
}

/* Positions and weights as the focus sees them, largest first: keys of a query, or queries of a key. */
function ranked(focus) {
  const shown = currentPattern(), others = state.direction === 'query' ? prompt().tokens.map((_, i) => i) : prompt().rows;
  const pairs = others.map((other) => (state.direction === 'query' ? [focus, other] : [other, focus]));
  return pairs.map(([query, key], i) => ({ position: others[i], query, key, value: shown.value(query, key) }))
    .filter(({ key, value }) => value > 0 && !isHidden(key)).sort((a, b) => b.value - a.value);
}

function tokenTip(position, x, y) {
  if (state.lockedToken !== null) {
    const [query, key] = state.direction === 'query' ? [state.lockedToken, position] : [position, state.lockedToken];
    showTip(pairRows(query, key), x, y);
    return;
  }
  const [best] = ranked(position), rows = [['token', element('span', {}, `${position} `, tokenName(position))], ['id', prompt().ids[position]]];
  if (best)
    rows.push([state.direction === 'query' ? 'looks most at' : 'most from', element('span', {}, `${best.position} `, tokenName(best.position))],
      ['weight', currentPattern().text(best.query, best.key), 'value']);
  showTip(rows, x, y);
}

/* ---- the parts that follow the pointer ---- */

const attentionText = new TokenText($('attention-tokens'), {
  hover: (position, x, y) => {
    update({ hoverToken: position });
    tokenTip(position, x, y);
  },
  leave: () => {
    update({ hoverToken: null });
    hideTip();
  },
  click: lockToken,
});

const ofCell = (row, column) => (state.direction === 'query' ? prompt().rows[row] : column);

const attentionMap = new HeatMap($('attention-map'), {
  hover: (row, column, x, y) => {
    update({ hoverToken: ofCell(row, column), cell: { row, column } });
    showTip(pairRows(prompt().rows[row], column), x, y);
  },
  leave: () => {
    update({ hoverToken: null, cell: null });
    hideTip();
  },
  click: (row, column) => lockToken(ofCell(row, column)),
});

function drawSentence(focus) {
  const name = element('b', {}, `${state.direction === 'query' ? 'query' : 'key'} ${focus} `, tokenName(focus));
  const lock = state.lockedToken === null ? '' : ' (locked)';
  if (state.direction === 'query') $('sentence').replaceChildren('Where ', name, lock, ' looks: its weight on each token up to itself.');
  else $('sentence').replaceChildren('Who looks at ', name, lock, ': the weight of each token from there on.');
}

/* A table of rows { position, text, part (0 to 1) }: a click locks the token. */
function rankTable(table, rows, lock) {
  table.replaceChildren(...rows.map(({ position, text, part, name }) => {
    const meter = element('div');
    meter.style.width = `${Math.max(0, Math.min(1, part)) * 100}%`;
    const cells = [element('td', { className: 'n' }, position ?? ''), element('td', { className: 't token-name' }, name ?? tokenText(position)),
      element('td', { className: 'n' }, text), element('td', { className: 'meter' }, meter)];
    const row = element('tr', { className: position === undefined ? '' : 'go' }, ...cells);
    if (position !== undefined) row.addEventListener('click', () => lock(position));
    return row;
  }));
}

function drawStrongest(focus) {
  const shown = currentPattern(), rows = ranked(focus).slice(0, STRONGEST).map(({ position, query, key, value }) =>
    ({ position, text: shown.text(query, key), part: value }));
  const largest = rows.length ? rows[0].part : 1;
  const sink = state.direction === 'query' ? shown.sink(focus) : -1;
  if (sink >= 0) rows.push({ name: 'the sink', text: shown.textAt(sink), part: shown.values[sink] });
  $('strongest-title').textContent = state.direction === 'query' ? `Strongest keys of query ${focus}` : `Strongest queries on key ${focus}`;
  rankTable($('strongest'), rows.map((row) => ({ ...row, part: row.part / largest })), (position) => update({ lockedToken: position }));
}

function drawFocus() {
  const focus = focusToken(), shown = currentPattern(), scale = scaleOf(shown), byQuery = state.direction === 'query';
  const other = state.cell ? (byQuery ? state.cell.column : prompt().rows[state.cell.row]) : state.hoverToken;
  attentionText.paint(plainPalette(), (position) =>
    (byQuery ? levelAt(shown, scale, focus, position) : levelAt(shown, scale, position, focus)), other);
  drawSentence(focus);
  drawStrongest(focus);
  attentionMap.mark({
    row: byQuery ? prompt().rowOf.get(focus) : undefined, column: byQuery ? undefined : focus, cell: state.cell,
    locked: state.lockedToken !== null,
  });
  $('from-query').setAttribute('aria-pressed', byQuery);
  $('to-key').setAttribute('aria-pressed', !byQuery);
}

function drawPicture() {
  const shown = currentPattern(), scale = scaleOf(shown), { rows, tokens } = prompt();
  $('shown').textContent = shownWords();
  $('legend-to').textContent = state.scale === 'fit' ? largestOf(shown).toPrecision(3) : '1';
  $('combine').value = state.combine;
  $('clear-heads').disabled = !state.locked.size;
  attentionMap.show({
    nRows: rows.length, nColumns: tokens.length, square: true, colours: plainPalette(),
    level: (row, key) => levelAt(shown, scale, rows[row], key),
    rowLabel: (row) => `${cutText(visible(tokens[rows[row]]))} ${rows[row]}`, columnLabel: (key) => `${cutText(visible(tokens[key]))} ${key}`,
    rowTitle: 'query', columnTitle: 'key', name: `Pattern of ${shownWords()}: queries down, keys across`,
    words: (row, key) => `query ${rows[row]} ${tokenText(rows[row])}, key ${key} ${tokenText(key)}: ${currentPattern().text(rows[row], key)}`,
  });
  markThumbs();
}

function drawAttentionPage() {
  pattern = null;
  attentionText.fill(prompt());
  paintLegend($('legend'), plainPalette());
  $('scale').value = state.scale;
  $('hide-first').checked = state.hideFirst;
  thumbs.forEach((thumb, i) => {
    thumb.fresh = false;
    if (thumb.seen) drawThumb(i);
  });
}

function startAttention() {
  buildGrid();
  $('combine').addEventListener('change', (event) => update({ combine: event.target.value }));
  $('scale').addEventListener('change', (event) => update({ scale: event.target.value }));
  $('hide-first').addEventListener('change', (event) => update({ hideFirst: event.target.checked }));
  $('clear-heads').addEventListener('click', () => update({ locked: new Set() }));
  $('from-query').addEventListener('click', () => update({ direction: 'query' }));
  $('to-key').addEventListener('click', () => update({ direction: 'key' }));
  drawers.push((what) => {
    if (state.tab !== 'attention') return;
    if (what === 'page') drawAttentionPage();
    if (what !== 'focus') drawPicture();
    drawFocus();
  });
}
