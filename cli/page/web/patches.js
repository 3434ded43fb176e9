/* The view of grids of patches: what a metric becomes when the value at one place is another prompt's. Several grids stand
   side by side; of grids with more axes than two, two are shown and the others are at a chosen index. */

const grids = [], gridTokens = contents.grid_tokens ?? { clean: [], corrupt: [] };

/* Each grid's values: three kinds by metric, then how many pairs each cell has. */
function placeGrids() {
  const values = contents.grids.length ? floatsOf('data-grids') : null;
  let at = 0;
  const take = (n) => values.subarray(at, at += n);
  for (const grid of contents.grids) {
    const cells = grid.shape.reduce((all, n) => all * n, 1), n = grid.metrics.length * cells;
    grids.push({ ...grid, cells, value: take(n), stderr: take(n), normalised: take(n), pairsOf: take(cells), ...openingAxes(grid) });
  }
}

/* Layers down and the last axis across; of patterns by cell queries down and keys across. rest: where the other axes are. */
function openingAxes({ axes }) {
  const across = axes.includes('key') ? axes.indexOf('key') : axes.length > 2 && axes.includes('pos') ? axes.indexOf('pos') : axes.length - 1;
  const down = axes.length < 2 ? -1 : axes.includes('key') ? axes.indexOf('query') : 0;
  return { down, across, rest: axes.map(() => 0) };
}

const SHOWS = { normalised: 'normalised', value: 'the metric', stderr: 'standard error' };
const isPosition = (axis) => axis === 'pos' || axis === 'query' || axis === 'key';
const gridName = (grid) => `${grid.point} by ${grid.by ?? grid.axes.join(', ')}`;
const restOf = (grid) => grid.axes.map((_, i) => i).filter((i) => i !== grid.down && i !== grid.across);
const nRowsOf = (grid) => (grid.down < 0 ? 1 : grid.shape[grid.down]);
const nColumnsOf = (grid) => grid.shape[grid.across];

/* Metrics of all grids, by their text. */
const patchMetrics = [];
const metricOf = (grid) => grid.metrics.indexOf(state.patchMetric);
const shownGrids = () => grids.filter((grid, i) => state.patchGrids.has(i) && metricOf(grid) >= 0);

/* Where a cell of the picture is in the grid: [index along each axis], and its number. */
function placeInGrid(grid, row, column) {
  const place = [...grid.rest];
  if (grid.down >= 0) place[grid.down] = row;
  place[grid.across] = column;
  return place;
}

const cellInGrid = (grid, place) => place.reduce((at, index, i) => at * grid.shape[i] + index, 0);
const valueInGrid = (grid, kind, cell) => grid[kind][metricOf(grid) * grid.cells + cell];
const shownValue = (grid, row, column) => valueInGrid(grid, state.patchShow, cellInGrid(grid, placeInGrid(grid, row, column)));

/* ---- words ---- */

/* A token that all clean prompts have at the place. */
const commonToken = (axis, index) => (isPosition(axis) ? gridTokens.clean[index] ?? null : null);

function axisLabel(axis, index) {
  const token = commonToken(axis, index);
  if (axis === 'layer') return `L${index}`;
  return token === null ? String(index) : `${cutText(visible(token))} ${index}`;
}

function placeWords(grid, place) {
  return place.map((index, i) => `${grid.axes[i]} ${index}${commonToken(grid.axes[i], index) === null ? '' : ` |${visible(commonToken(grid.axes[i], index))}|`}`).join(', ');
}

const shortFloat = (value) => (Number.isNaN(value) ? '-' : Number(value.toPrecision(4)).toString().replace('-', '\u2212'));
const fullFloat = (value) => (Number.isNaN(value) ? '-' : floatText(value));
const pairsWord = (n) => `${n} pair${n === 1 ? '' : 's'}`;

function placeRows(grid, place) {
  return place.map((index, i) => {
    const axis = grid.axes[i], clean = commonToken(axis, index), corrupt = isPosition(axis) ? gridTokens.corrupt[index] ?? null : null;
    const words = clean === null ? [] : [' ', element('span', { className: 'token-name' }, `|${visible(clean)}|`)];
    if (corrupt !== null && corrupt !== clean) words.push(' corrupt ', element('span', { className: 'token-name' }, `|${visible(corrupt)}|`));
    return [axis, element('span', {}, String(index), ...words)];
  });
}

function cellTip(grid, place) {
  const cell = cellInGrid(grid, place), rows = [['grid', gridName(grid)], ...placeRows(grid, place)];
  const value = valueInGrid(grid, 'value', cell), n = grid.pairsOf[cell];
  if (Number.isNaN(value)) return [...rows, ['value', 'none: the cell does not exist, or was not patched']];
  rows.push([state.patchMetric, fullFloat(value), 'value'], ['stderr', fullFloat(valueInGrid(grid, 'stderr', cell))]);
  if (!Number.isNaN(n)) rows.push(['over', pairsWord(n)]);
  return [...rows, ['normalised', fullFloat(valueInGrid(grid, 'normalised', cell))]];
}

function cellWords(grid, row, column) {
  const place = placeInGrid(grid, row, column), value = shownValue(grid, row, column);
  return `${gridName(grid)}, ${placeWords(grid, place)}: ${Number.isNaN(value) ? 'no such cell' : `${SHOWS[state.patchShow]} ${fullFloat(value)}`}`;
}

/* What is patched, and what the metric is without patches. */
function patchSentence() {
  const [grid] = shownGrids();
  if (!grid) return 'No grid is chosen.';
  const m = metricOf(grid), noise = grid.direction === 'noise';
  const without = grid.clean.length ? [element('b', {}, state.patchMetric), ` is `, element('b', {}, shortFloat(grid.clean[m] ?? NaN)), ' in the clean prompts and ',
    element('b', {}, shortFloat(grid.corrupt[m] ?? NaN)), ' in the corrupt ones. '] : [element('b', {}, state.patchMetric), '. '];
  const pairs = grid.pairs ? `${pairsWord(grid.pairs)}${grid.pairs > 1 ? ', means' : ''}. ` : '';
  return [pairs, ...without, noise ? 'Noising: ' : 'Denoising: ',
    `in each cell the ${noise ? 'clean' : 'corrupt'} prompt runs with the ${noise ? 'corrupt' : 'clean'} one\u2019s value at that place. `,
    ...(grid.path && grid.to ? ['It reaches the metric through ', element('b', {}, grid.to), ` only: path patching, ${grid.path}. `] : []),
    { normalised: 'Colours: 0 is as in the corrupt prompts, 1 as in the clean ones. ', value: 'Colours: the middle is the corrupt prompts\u2019 value. ', stderr: '' }[state.patchShow],
    'Hatched cells do not exist or were not patched.'];
}

/* ---- colours: all pictures have one scale ---- */

function patchRange() {
  let most = state.patchShow === 'normalised' ? 1 : 0, middle = 0;
  const shown = shownGrids();
  if (state.patchShow === 'value' && shown.length) middle = shown[0].corrupt[metricOf(shown[0])] ?? 0;
  for (const grid of shown) {
    const m = metricOf(grid);
    for (const value of grid[state.patchShow].subarray(m * grid.cells, (m + 1) * grid.cells))
      if (Math.abs(value - middle) > most) most = Math.abs(value - middle);
  }
  return { middle, most: most || 1 };
}

const isSigned = () => state.patchShow !== 'stderr';
const patchPalette = () => (isSigned() ? signedPalette() : plainPalette());

function patchLevels() {
  const { middle, most } = patchRange();
  return isSigned() ? (value) => level(0.5 + (value - middle) / most / 2) : (value) => level(value / most);
}

function drawPatchLegend() {
  const { middle, most } = patchRange();
  paintLegend($('patch-legend'), patchPalette());
  $('patch-from').textContent = shortFloat(isSigned() ? middle - most : 0);
  $('patch-to').textContent = shortFloat(middle + most);
}

/* ---- pictures: one for each grid ---- */

const patchPanels = [];     // of grids: { grid, box, map, title, rest }

function patchListener(panel) {
  const { grid } = panel;
  return {
    hover: (row, column, box) => {
      update({ cell: { row, column, panel: panel.i } });
      showTip(cellTip(grid, placeInGrid(grid, row, column)), box);
    },
    leave: () => {
      update({ cell: null });
      hideTip();
    },
    click: (row, column) => {
      const at = cellInGrid(grid, placeInGrid(grid, row, column)), same = state.patchLocked && state.patchLocked.panel === panel.i && state.patchLocked.at === at;
      update({ patchLocked: same ? null : { panel: panel.i, at } });
    },
  };
}

/* A list of the indices of an axis, for those that are not in the picture. */
function restPicker(panel, i) {
  const { grid } = panel, axis = grid.axes[i];
  const select = element('select', { 'aria-label': `${axis} of ${gridName(grid)}` },
    ...Array.from({ length: grid.shape[i] }, (_, index) => element('option', { value: index }, axisLabel(axis, index))));
  select.addEventListener('change', () => {
    grid.rest[i] = Number(select.value);
    redrawAs('picture');
  });
  return element('label', {}, `${axis} `, select);
}

/* The axis that goes down or across: choosing the other one's exchanges them. */
function axisPicker(panel, which, other) {
  const { grid } = panel;
  const select = element('select', { 'aria-label': `${which} in ${gridName(grid)}` }, ...grid.axes.map((axis, i) => element('option', { value: i }, axis)));
  select.value = grid[which];
  select.addEventListener('change', () => {
    const chosen = Number(select.value);
    if (grid[other] === chosen) grid[other] = grid[which];
    grid[which] = chosen;
    update({ patchLocked: null, cell: null });
    fillRest(panel);
    redrawAs('picture');
  });
  return element('label', {}, `${which} `, select);
}

function fillRest(panel) {
  const { grid, rest } = panel;
  if (grid.axes.length < 3) return;
  panel.pickers = restOf(grid).map((i) => [i, restPicker(panel, i)]);
  rest.replaceChildren(...panel.pickers.map(([, picker]) => picker), axisPicker(panel, 'down', 'across'), axisPicker(panel, 'across', 'down'));
}

function buildPanel(grid, i) {
  const panel = { grid, i, box: element('div', { className: 'map patch-map', id: `patch-map-${i}` }), rest: element('div', { className: 'bar small' }), title: element('h3') };
  panel.whole = element('section', { className: 'panel', 'aria-label': gridName(grid) }, panel.title, panel.rest, panel.box);
  panel.map = new PixelMap(panel.box, patchListener(panel), { high: true, hatched: true });
  fillRest(panel);
  patchPanels.push(panel);
  $('patch-panels').append(panel.whole);
}

/* Of the cells of a pixel the farthest from the middle, which is the one that it shows. */
function strongestCell(grid, rowFrom, rowEnd, from, end) {
  const { middle } = patchRange();
  let best = null, most = -1;
  for (let row = rowFrom; row < rowEnd; row++)
    for (let column = from; column < end; column++) {
      const away = Math.abs(shownValue(grid, row, column) - middle);
      if (away > most) [most, best] = [away, { row, column }];
    }
  return best;
}

function drawPanel(panel, levels) {
  const { grid, map } = panel, { down, across } = grid, rowAxis = down < 0 ? '' : grid.axes[down], columnAxis = grid.axes[across], at = isSigned() ? 127 : 0;
  const others = restOf(grid).map((i) => `${grid.axes[i]} ${grid.rest[i]}`).join(', ');
  panel.title.textContent = gridName(grid) + (others ? `, ${others}` : '');
  for (const [i, picker] of panel.pickers ?? []) picker.querySelector('select').value = grid.rest[i];
  panel.box.style.height = `${Math.min(Math.max(nRowsOf(grid) * 30 + 130, 190), 560)}px`;
  map.show({
    of: `${rowAxis} ${columnAxis}`, nRows: nRowsOf(grid), nColumns: nColumnsOf(grid), colours: patchPalette(), levels: addedLevels, square: rowAxis === 'query' && columnAxis === 'key',
    addRow: (row, columns, line) => addLevels(line, columns, (column) => {
      const value = shownValue(grid, row, column);
      return Number.isNaN(value) ? -1 : levels(value);
    }, at),
    strongestIn: (rowFrom, rowEnd, from, end) => strongestCell(grid, rowFrom, rowEnd, from, end),
    rowLabel: (row) => (down < 0 ? '' : axisLabel(rowAxis, row)), rowPlace: (row) => (down < 0 ? '' : rowAxis === 'layer' ? `L${row}` : row),
    columnLabel: (column) => axisLabel(columnAxis, column), columnPlace: (column) => column,
    rowTitle: rowAxis, columnTitle: columnAxis, name: `${panel.title.textContent}: ${SHOWS[state.patchShow]}`,
    words: (row, column) => cellWords(grid, row, column),
  });
}

function drawPatchPicture() {
  const shown = new Set(shownGrids()), levels = patchLevels();
  for (const panel of patchPanels) {
    panel.whole.hidden = !shown.has(panel.grid);
    if (!panel.whole.hidden) drawPanel(panel, levels);
  }
  $('patch-sentence').replaceChildren(...[patchSentence()].flat());
  $('patch-shown').textContent = state.patchMetric;
  $('patch-show').value = state.patchShow;
  $('patch-metric').value = state.patchMetric;
  for (const [i, box] of [...document.querySelectorAll('#patch-grids input')].entries()) {
    box.checked = state.patchGrids.has(i);
    box.disabled = metricOf(grids[i]) < 0;
  }
  drawPatchLegend();
  drawStrongestCells();
}

/* ---- the list of cells that matter most ---- */

const STRONGEST_CELLS = 18;

/* How far each cell is from the prompt that runs. */
function changesIn(grid, m = metricOf(grid)) {
  const before = (grid.direction === 'noise' ? grid.clean : grid.corrupt)[m] ?? 0, values = grid.value.subarray(m * grid.cells, (m + 1) * grid.cells);
  return Array.from(values, (value, cell) => ({ grid, cell, away: Math.abs(value - before) })).filter(({ away }) => away > 0);
}

function placeOfCell(grid, cell) {
  const place = [];
  for (let i = grid.shape.length; i-- > 0; cell = Math.floor(cell / grid.shape[i])) place[i] = cell % grid.shape[i];
  return place;
}

/* A grid with more axes than the picture opens where its first metric changes most. */
function openAtStrongest(grid) {
  const most = changesIn(grid, 0).reduce((best, one) => (one.away > best.away ? one : best), { away: 0, cell: 0 });
  placeOfCell(grid, most.cell).forEach((index, i) => (grid.rest[i] = index));
}

/* Shows the slice in which the cell is, and marks it. */
function goToCell(grid, cell) {
  const place = placeOfCell(grid, cell);
  for (const i of restOf(grid)) grid.rest[i] = place[i];
  state.patchLocked = { panel: grids.indexOf(grid), at: cell };
  redrawAs('picture');
}

function drawStrongestCells() {
  const all = shownGrids().flatMap((grid) => changesIn(grid)).sort((a, b) => b.away - a.away).slice(0, STRONGEST_CELLS), several = shownGrids().length > 1;
  const head = element('tr', {}, element('th', {}, several ? 'grid: place' : 'place'), element('th', { className: 'n' }, 'value'), element('th', { className: 'n' }, 'norm.'));
  $('patch-strongest').replaceChildren(head, ...all.map(({ grid, cell }) => {
    const place = placeOfCell(grid, cell), words = place.map((index, i) => (grid.axes[i] === 'layer' ? `L${index}` : `${grid.axes[i]} ${index}`)).join(' ');
    const button = element('button', { className: 'quiet', title: placeWords(grid, place) }, several ? `${grid.point}: ${words}` : words);
    button.addEventListener('click', () => goToCell(grid, cell));
    return element('tr', {}, element('td', {}, button), element('td', { className: 'n' }, shortFloat(valueInGrid(grid, 'value', cell))),
      element('td', { className: 'n' }, shortFloat(valueInGrid(grid, 'normalised', cell))));
  }));
}

function drawPatchFocus() {
  for (const panel of patchPanels) {
    if (panel.whole.hidden) continue;
    const { grid } = panel, locked = state.patchLocked?.panel === panel.i ? placeOfCell(grid, state.patchLocked.at) : null;
    const here = locked && restOf(grid).every((i) => locked[i] === grid.rest[i]) ? { row: grid.down < 0 ? 0 : locked[grid.down], column: locked[grid.across] } : null;
    const hovered = state.cell?.panel === panel.i ? state.cell : null;
    panel.map.mark({ ...here && grid.down >= 0 ? { row: here.row } : {}, ...here ? { column: here.column } : {}, cell: hovered ?? here, locked: Boolean(here) });
  }
}

/* ---- keys, and the start ---- */

/* The next or the former index of the axis that the first picture with such an axis leaves out. */
function stepRest(step) {
  const grid = shownGrids().find((one) => restOf(one).length);
  if (!grid) return;
  const last = restOf(grid).at(-1), n = grid.shape[last];
  grid.rest[last] = (grid.rest[last] + step + n) % n;
  redrawAs('picture');
  say(`${gridName(grid)}, ${grid.axes[last]} ${grid.rest[last]}`);
}

const patchMapShown = () => (patchPanels.find(({ box }) => box.contains(document.activeElement)) ?? patchPanels.find(({ whole }) => !whole.hidden) ?? patchPanels[0]).map;

function buildPatchList() {
  $('patch-grids').append(...grids.map((grid, i) => {
    const box = element('input', { type: 'checkbox', value: i });
    box.addEventListener('change', () => {
      const chosen = new Set(state.patchGrids);
      if (!chosen.delete(i)) chosen.add(i);
      update({ patchGrids: chosen, cell: null });
    });
    return element('label', {}, box, ` ${gridName(grid)}`, element('span', { className: 'faint' }, ` ${grid.shape.join(' \u00d7 ')}`));
  }));
}

const OPENING_GRIDS = 4;

function startPatches() {
  patchMetrics.push(...new Set(grids.flatMap(({ metrics }) => metrics)));
  Object.assign(state, { patchMetric: patchMetrics[0], patchGrids: new Set([...grids.keys()].slice(0, OPENING_GRIDS)) });
  for (const grid of grids) openAtStrongest(grid);
  grids.forEach(buildPanel);
  buildPatchList();
  $('patch-metric').append(...patchMetrics.map((text) => element('option', { value: text }, text)));
  $('patch-metric').disabled = patchMetrics.length < 2;
  $('patch-metric').addEventListener('change', (event) => update({ patchMetric: event.target.value }));
  $('patch-show').append(...Object.entries(SHOWS).map(([value, words]) => element('option', { value }, words)));
  $('patch-show').addEventListener('change', (event) => update({ patchShow: event.target.value }));
  drawers.push((what) => {
    if (state.tab !== 'patches') return;
    if (what !== 'focus') drawPatchPicture();
    drawPatchFocus();
  });
}

placeGrids();
