/* The attention view: the heads that are shown as a map, the tokens as the focus sees them, the strongest at the side. */

/* ---- the pattern that is shown ---- */

let pattern = null;

/* Made anew when what it depends on is another: `locked` is replaced, never changed. Until its weights have come it is what there is meanwhile. */
function currentPattern() {
  const { prompt: p, combine, hoverHead, locked } = state, of = [p, combine, hoverHead, locked];
  if (pattern && !pattern.waits && of.every((part, i) => part === pattern.of[i])) return pattern;
  const parts = shownHeads().map((head) => headPattern(prompt(), head)), waits = parts.includes(null);
  if (waits) waitForData();
  const made = waits ? meanwhile(prompt(), shownHeads()[0]) : parts.length === 1 ? parts[0] : joinPatterns(parts, combine);
  pattern = Object.assign(made, { of, waits });
  return pattern;
}

let waiting = false;

const haveCome = () => shownHeads().every((head) => blockOf(`head-${prompt().place}-${head}`));

/* While the page still loads: draws again when the weights that are shown have come, or all has. */
function waitForData() {
  if (waiting || document.readyState !== 'loading') return;
  waiting = true;
  const look = () => {
    if (document.readyState === 'loading' && !haveCome()) {
      setTimeout(look, 100);
      return;
    }
    waiting = false;
    for (const strip of strips) if (strip.seen && !strip.fresh) drawStrip(strip);
    redrawAs('picture');
  };
  setTimeout(look, 30);
}

/* ---- colours ---- */

const isHidden = (key) => state.hideFirst && key === 0;

/* The level of each code + 1, as lines of maps have them; -1 for nothing. */
const levelTables = new Map();

function levelsFor(largest) {
  const kind = state.scale, name = `${kind} ${largest}`;
  if (levelTables.has(name)) return levelTables.get(name);
  const scale = weightScale(kind, largest ?? 1), levels = new Int16Array(65537).fill(-1);
  for (let code = 0; code <= CODE_ONE; code++) levels[code + 1] = scale(codeValues[code]);
  if (levelTables.size > 8) levelTables.clear();
  levelTables.set(name, levels);
  return levels;
}

const largestShown = (shown) => codeValues[shown.largest(state.hideFirst)];
const shownLevels = (shown) => levelsFor(state.scale === 'fit' ? largestShown(shown) : 1);

function levelAt(shown, levels, query, key) {
  if (isHidden(key) || key > query) return -1;
  const code = shown.code(query, key);
  return code < 0 || code === CODE_NONE ? -1 : levels[code + 1];
}

/* ---- tooltips ---- */

const placed = (position) => element('span', {}, `${position} `, tokenName(position));

/* The two ends of a weight and the weight itself. */
function pairRows(query, key) {
  const shown = currentPattern(), rows = [[shown.heads.length > 1 ? 'heads' : 'head', shownWords()],
    ['query', placed(query)], ['key', placed(key)], ['weight', shown.waits && !shown.strongestKeys?.k ? 'loading' : shown.text(query, key), 'value']];
  if (shown.sink(query) >= 0) rows.push(['sink has', codeText(shown.sink(query))]);
  return rows;
}

const ranked = (focus) => currentPattern().strongest(focus, state.direction === 'query', state.hideFirst);

function tokenTip(position, box) {
  if (state.lockedToken !== null && state.lockedToken !== position) {
    const [query, key] = state.direction === 'query' ? [state.lockedToken, position] : [position, state.lockedToken];
    showTip([...pairRows(query, key), ...lossRows(position)], box);
    return;
  }
  const [best] = ranked(position), rows = [['token', placed(position)], ['id', prompt().ids[position]]];
  if (state.lockedToken !== null) rows.push(...pairRows(position, position));
  else if (best)
    rows.push([state.direction === 'query' ? 'looks most at' : 'most from', placed(best.position)], ['weight', codeText(best.code), 'value']);
  showTip([...rows, ...lossRows(position)], box);
}

/* ---- the parts that follow the pointer ---- */

const attentionText = new TokenText($('attention-tokens'), {
  hover: (position, box) => {
    update({ hoverToken: position, cell: null, from: 'text' });
    tokenTip(position, box);
  },
  leave: () => {
    update({ hoverToken: null });
    hideTip();
  },
  click: (position) => lockToken(position, 'text'),
});

const ofCell = (row, column) => (state.direction === 'query' ? prompt().rows[row] : column);

const attentionMap = new PixelMap($('attention-map'), {
  hover: (row, column, box) => {
    update({ hoverToken: ofCell(row, column), cell: { row, column }, from: 'map' });
    showTip(pairRows(prompt().rows[row], column), box);
  },
  leave: () => {
    update({ hoverToken: null, cell: null });
    hideTip();
  },
  click: (row, column) => lockToken(ofCell(row, column), 'map'),
}, { high: true, touched: () => showView() });

/* The queries and keys in view. */
function showView() {
  const { across, down, isWhole } = attentionMap, { rows } = prompt();
  $('zoom-all').disabled = isWhole;
  $('zoom-out').disabled = isWhole;
  if (!across) return;
  const last = (axis) => Math.min(Math.ceil(axis.end), axis.n) - 1;
  $('in-view').textContent = isWhole ? '' : `queries ${rows[Math.floor(down.start)]} to ${rows[last(down)]}, keys ${Math.floor(across.start)} to ${last(across)}`;
}

function drawSentence(focus) {
  const name = element('b', {}, `${state.direction === 'query' ? 'query' : 'key'} ${focus} `, tokenName(focus));
  const lock = state.lockedToken === null ? '' : ' (locked)';
  if (state.colour === 'loss') $('sentence').replaceChildren('Coloured by loss, from 0 to 10 nats or more. ', name, lock, '.');
  else if (state.direction === 'query') $('sentence').replaceChildren('Where ', name, lock, ' looks: its weight on each token up to itself.');
  else $('sentence').replaceChildren('Who looks at ', name, lock, ': the weight of each token from there on.');
}

/* A table of rows { position, name, text, part (0 to 1), mark, title }: with a position, a click locks that token. Columns have fixed widths, so
   that long tokens leave the bars theirs. */
function rankTable(table, rows) {
  table.replaceChildren(...rows.map(({ position, name, text, part, mark, title }) => {
    const meter = element('div'), words = name ?? tokenText(position);
    meter.style.width = `${Math.max(0, Math.min(1, part)) * 100}%`;
    const cells = [element('td', { className: 'n' }, position ?? ''), element('td', { className: 't token-name', title: title ?? words }, words),
      element('td', { className: 'n value' }, text), element('td', { className: 'meter' }, meter)];
    const row = element('tr', { className: `${position === undefined ? '' : 'go'} ${mark ? 'now' : ''}` }, ...cells);
    if (position !== undefined) row.addEventListener('click', () => update({ lockedToken: position, from: 'list' }));
    return row;
  }));
}

function drawStrongest(focus) {
  const shown = currentPattern(), byQuery = state.direction === 'query';
  const rows = ranked(focus).map(({ position, code }) => ({
    position, text: byQuery ? shown.text(focus, position) : shown.text(position, focus), part: codeValues[code],
  }));
  const largest = rows.length ? rows[0].part : 1, sink = byQuery ? shown.sink(focus) : -1;
  if (sink >= 0) rows.push({ name: 'the sink', text: codeText(sink), part: codeValues[sink] });
  $('strongest-title').textContent = byQuery ? `Strongest keys of query ${focus}` : `Strongest queries on key ${focus}`;
  rankTable($('strongest'), rows.map((row) => ({ ...row, part: row.part / largest })));
  $('strongest-note').textContent = shown.waits ? 'Loading.' : shown.whole ? '' :
    byQuery ? `Exact; what is not listed has at most ${roundedUp(codeValues[shown.least[prompt().rowOf.get(focus)] ?? 0])}.` : `Among the ${shown.strongestKeys.k} strongest keys of each query.`;
}

/* Text and map follow what was chosen elsewhere. */
function followFocus(focus, other) {
  const byQuery = state.direction === 'query', row = prompt().rowOf.get(byQuery ? focus : other), column = byQuery ? other : focus;
  if (state.from !== 'text') attentionText.reveal(state.lockedToken !== null && state.from === 'map' && other !== null ? other : focus);
  if (state.from !== 'map') attentionMap.reveal(state.from === 'text' && state.lockedToken !== null ? { row, column } : byQuery ? { row } : { column });
}

function drawFocus() {
  const focus = focusToken(), shown = currentPattern(), levels = shownLevels(shown), byQuery = state.direction === 'query';
  const other = state.cell ? (byQuery ? state.cell.column : prompt().rows[state.cell.row]) : state.hoverToken;
  attentionText.paint(plainPalette(), state.colour === 'loss' ? lossLevel : (position) =>
    (byQuery ? levelAt(shown, levels, focus, position) : levelAt(shown, levels, position, focus)), other, find.tokens);
  drawSentence(focus);
  drawStrongest(focus);
  drawPredictions(focus);
  attentionMap.mark({
    row: byQuery ? prompt().rowOf.get(focus) : undefined, column: byQuery ? undefined : focus, cell: state.cell,
    locked: state.lockedToken !== null,
  });
  $('from-query').setAttribute('aria-pressed', byQuery);
  $('to-key').setAttribute('aria-pressed', !byQuery);
  followFocus(focus, other);
}

/* The parts that are there of the heads that are shown. */
function exactness(shown) {
  if (shown.waits) return 'The weights are being read.';
  const scores = shown.heads.length === 1 ? scoreWords(shown.heads[0]) : '';
  const there = shown.whole ? 'every weight' : `the largest weight of every ${shown.cells.side} by ${shown.cells.side} cells, and each query\u2019s ${shown.strongestKeys.k} strongest keys exactly`;
  return `${scores ? `${state.locked.size || state.hoverHead !== null ? 'Scores' : 'Highest score'} (weir heads): ${scores}. ` : ''}Here: ${there}.`;
}

/* The strongest known pair among some rows and columns, which a pixel of many cells shows. */
function strongestPair(shown, rowFrom, rowEnd, from, end) {
  let best = null, most = -1;
  for (let row = rowFrom; row < rowEnd; row++) {
    const query = prompt().rows[row];
    if (shown.whole) for (let key = from; key < Math.min(end, query + 1); key++) {
      const code = shown.code(query, key);
      if (code > most && code !== CODE_NONE && !isHidden(key)) [most, best] = [code, { row, column: key }];
    }
    else shown.eachKey(query, (key, code) => {
      if (key >= from && key < end && code > most && code !== CODE_NONE && !isHidden(key)) [most, best] = [code, { row, column: key }];
    });
  }
  return best;
}

function drawPicture() {
  const shown = currentPattern(), { rows, tokens } = prompt(), { hideFirst } = state;
  $('shown').textContent = shownWords();
  $('exactness').textContent = exactness(shown);
  $('legend-to').textContent = state.scale === 'fit' ? Number(largestShown(shown).toPrecision(3)) : '1';
  $('combine').value = shown.whole || shown.heads.length < 2 ? state.combine : 'max';
  $('clear-heads').disabled = !state.locked.size;
  $('all-heads').disabled = nHeads * prompt().headSize > MOST_TOGETHER || Boolean(prompt().block);
  $('attention-map').setAttribute('aria-busy', shown.waits);
  attentionMap.show({
    of: prompt(), nRows: rows.length, nColumns: tokens.length, square: true, colours: plainPalette(), levels: shownLevels(shown),
    addRow: (row, columns, line) => shown.addRow(row, columns, line, hideFirst),
    strongestIn: (rowFrom, rowEnd, from, end) => strongestPair(shown, rowFrom, rowEnd, from, end),
    rowLabel: (row) => `${cutText(visible(tokens[rows[row]]))} ${rows[row]}`, columnLabel: (key) => `${cutText(visible(tokens[key]))} ${key}`,
    rowPlace: (row) => rows[row], columnPlace: (key) => key,
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
  $('colour').value = state.colour;
  drawStrips();
}

/* The heads that are there with every weight, once the page has loaded. */
function sayWhole() {
  const parts = contents.prompts.length * nHeads, whole = document.querySelectorAll('script[id^="head-"]').length;
  const names = contents.prompts.length === 1 && whole < 7 ? [...document.querySelectorAll('script[id^="head-"]')].map(({ id }) => shortName(Number(id.split('-')[2]))).join(', ') : '';
  $('what').textContent = whole === parts ? '' : `Every weight of ${whole} of ${parts} patterns${names ? ` (${names})` : ''}, those with the highest scores; of the others the largest weights and strongest keys. weir view --layer and --head choose, --max-size makes room.`;
}

function startAttention() {
  buildGrid();
  for (const [id, field] of [['combine', 'combine'], ['scale', 'scale'], ['colour', 'colour']])
    $(id).addEventListener('change', (event) => update({ [field]: event.target.value }));
  $('colour-part').hidden = !hasNext;
  $('hide-first').addEventListener('change', (event) => update({ hideFirst: event.target.checked }));
  $('clear-heads').addEventListener('click', () => update({ locked: new Set() }));
  $('all-heads').addEventListener('click', allHeads);
  $('from-query').addEventListener('click', () => update({ direction: 'query' }));
  $('to-key').addEventListener('click', () => update({ direction: 'key' }));
  $('zoom-in').addEventListener('click', () => attentionMap.zoom(STEP));
  $('zoom-out').addEventListener('click', () => attentionMap.zoom(1 / STEP));
  $('zoom-all').addEventListener('click', () => attentionMap.whole());
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', sayWhole);
  else sayWhole();
  drawers.push((what) => {
    if (state.tab !== 'attention') return;
    if (what === 'page') drawAttentionPage();
    if (what !== 'focus') drawPicture();
    drawFocus();
  });
}
