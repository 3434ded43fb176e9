/* The neuron and residual views: one value per position, of a unit or of the norm of a point in a layer. */

/* ---- neurons ---- */

const units = contents.units.map((unit, i) => ({ ...unit, i })).sort((a, b) => a.layer - b.layer);
const unitName = (unit) => (unit.layer < 0 ? `${unit.point} ${unit.unit}` : `L${unit.layer} \u00b7 ${unit.unit}`);
const unitSeries = (unit, of = prompt()) => series(unitValues, units.length, of, unit.i);
const TOP = 14, COURSE = 128;

const sizeOf = (values) => values.reduce((most, value) => (Math.abs(value) > most ? Math.abs(value) : most), 0);

const signed = (value) => value.toPrecision(3).replace('-', '\u2212');

function shownUnit() {
  return units[state.hoverUnit ?? state.unit];
}

/* The value farthest from 0, with its sign. */
const peakOf = (values) => values.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);

/* In long prompts a pixel has several positions: it shows the value farthest from 0. */
function drawCourse(canvas, values) {
  const scale = signedScale(sizeOf(values)), width = Math.min(values.length, COURSE), image = new ImageData(width, 1), { pixels } = signedPalette();
  new Uint32Array(image.data.buffer).set(Array.from({ length: width }, (_, x) => {
    const part = values.subarray(Math.floor(x * values.length / width), Math.floor((x + 1) * values.length / width));
    return part.every(Number.isNaN) ? 0 : pixels[scale(peakOf(part))];
  }));
  canvas.width = width;
  canvas.height = 1;
  canvas.getContext('2d').putImageData(image, 0, 0);
}

function buildUnits() {
  const listed = units.map((unit, i) => ({ unit, i })).filter(({ unit }) => state.unitLayer === 'all' || unit.layer === Number(state.unitLayer));
  $('units').replaceChildren(...listed.map(({ unit, i }) => {
    const canvas = element('canvas'), values = unitSeries(unit);
    drawCourse(canvas, values);
    const button = element('button', { className: 'unit', role: 'option', title: `${unit.point}, layer ${unit.layer}, unit ${unit.unit}` },
      element('span', {}, unitName(unit)), canvas, element('span', {}, signed(peakOf(values))));
    button.dataset.unit = i;
    return button;
  }));
}

function listenUnits() {
  const unitOf = (event) => {
    const button = event.target.closest('.unit');
    return button ? Number(button.dataset.unit) : null;
  };
  const list = $('units');
  list.addEventListener('pointermove', (event) => update({ hoverUnit: unitOf(event) }));
  list.addEventListener('pointerleave', () => update({ hoverUnit: null }));
  list.addEventListener('click', (event) => unitOf(event) !== null && update({ unit: unitOf(event) }));
  list.addEventListener('keydown', (event) => {
    const next = { ArrowUp: 'previousElementSibling', ArrowDown: 'nextElementSibling' }[event.key];
    const button = next && event.target.closest('.unit')?.[next];
    if (!button) return;
    update({ unit: Number(button.dataset.unit), hoverUnit: null });
    button.focus();
    event.preventDefault();
    event.stopPropagation();
  });
}

/* Text and picture of one value a position share what they do with the pointer. */
function tokenListener(rowsOf) {
  return {
    hover: (position, box) => {
      update({ hoverToken: position });
      showTip([['token', element('span', {}, `${position} `, tokenName(position))], ['id', prompt().ids[position]], ...rowsOf(position)], box);
    },
    leave: () => {
      update({ hoverToken: null, cell: null, hoverLayer: null });
      hideTip();
    },
    click: lockToken,
  };
}

function unitValueAt(position) {
  const row = prompt().rowOf.get(position);
  return row === undefined ? NaN : unitSeries(shownUnit())[row];
}

const unitText = new TokenText($('unit-tokens'), tokenListener((position) =>
  [[unitName(shownUnit()), floatText(unitValueAt(position)), 'value']]));

/* Adds a row of levels to a line of pixels: of the cells of each, the level farthest from `from`, so that single ones are seen. */
function addLevels(line, columns, levelOf, from) {
  for (let x = 0; x < line.length; x++)
    for (let i = columns.from[x]; i < columns.end[x]; i++) {
      const at = levelOf(i);
      if (at >= 0) line[x] = Math.max(line[x], (Math.min(Math.abs(at - from), LEVELS - 2) << 8 | at) + 1);      // 16 bits: 0 is nothing
    }
}

/* The lines that addLevels makes, as levels again. */
const addedLevels = Int16Array.from({ length: 65537 }, (_, line) => (line ? line - 1 & 255 : -1));

const unitChart = new PixelMap($('unit-chart'), {
  hover: (row, column, box) => {
    update({ cell: { row, column } });
    unitText.on.hover(prompt().rows[column], box);
  },
  leave: () => unitText.on.leave(),
  click: (row, column) => lockToken(prompt().rows[column]),
});

/* The chart is a heatmap of thin rows, in which a column is filled as far as its value goes. */
const CHART_ROWS = 64;

function drawChart(values, colours, scale) {
  const { rows, tokens } = prompt(), low = Math.min(0, values.reduce((least, v) => (v < least ? v : least), 0)), high = values.reduce((most, v) => (v > most ? v : most), 0);
  const edge = (row) => high - (high - low) * row / CHART_ROWS;
  const inside = (value, row) => (value >= 0 ? edge(row) <= value && edge(row + 1) >= 0 : edge(row + 1) >= value && edge(row) <= 0);
  const zero = high > low ? Math.min(Math.round(high / (high - low) * CHART_ROWS), CHART_ROWS - 1) : 0;
  const ticks = [0, zero, CHART_ROWS - 1].filter((row) => row === zero || Math.abs(row - zero) > 4);
  unitChart.show({
    of: prompt(), nRows: CHART_ROWS, nColumns: rows.length, colours, levels: addedLevels,
    addRow: (row, columns, line) => addLevels(line, columns, (column) => (inside(values[column], row) ? scale(values[column]) : -1), 127),
    rowLabel: (row) => (row === zero ? '0' : (row === 0 ? high : low).toPrecision(3)), rowTicks: ticks,
    rowPlace: (row) => row, columnPlace: (column) => rows[column],
    columnLabel: (column) => `${cutText(visible(tokens[rows[column]]))} ${rows[column]}`,
    rowTitle: 'value', columnTitle: 'position', name: 'The neuron\u2019s value at every position',
    words: (row, column) => `position ${rows[column]} ${tokenText(rows[column])}: ${floatText(values[column])}`,
  });
}

/* The positions of all prompts at which the unit is largest. */
function drawUnitTop(unit) {
  const all = contents.prompts.flatMap((of, p) => Array.from(unitSeries(unit, of), (value, row) => ({ value, p, position: of.rows[row] })))
    .filter(({ value }) => !Number.isNaN(value)).sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const largest = all.length ? Math.abs(all[0].value) : 0;
  const several = contents.prompts.length > 1;
  const head = element('tr', {}, ...[several ? 'prompt:token' : 'token', '', 'value', ''].map((name) =>
    element('th', { className: name === 'value' ? 'n' : '' }, name)));
  $('unit-top').replaceChildren(head, ...all.slice(0, TOP).map(({ value, p, position }) => {
    const meter = element('div', { className: value < 0 ? 'minus' : '' });
    meter.style.width = `${largest ? Math.abs(value) / largest * 100 : 0}%`;
    const row = element('tr', { className: 'go' },
      element('td', { className: 'n' }, several ? `${contents.prompts[p].index}:${position}` : position),
      element('td', { className: 't token-name' }, tokenText(position, contents.prompts[p])),
      element('td', { className: 'n' }, signed(value)), element('td', { className: 'meter' }, meter));
    row.addEventListener('click', () => {
      toPrompt(p);
      update({ lockedToken: position });
    });
    return row;
  }));
}

function drawUnitPicture() {
  const unit = shownUnit(), values = unitSeries(unit), largest = sizeOf(values);
  const place = unit.layer < 0 ? unit.point : `${unit.point}, layer ${unit.layer}`;
  $('unit-shown').textContent = `${place}, unit ${unit.unit}`;
  $('unit-sentence').textContent = largest ? `Its value at each token: from ${(-largest).toPrecision(3)} in blue over 0 to ${largest.toPrecision(3)}.` : 'It is 0 at every token.';
  drawChart(values, signedPalette(), signedScale(largest));
  drawUnitTop(unit);
  for (const button of $('units').children) {
    const chosen = Number(button.dataset.unit) === state.unit;
    button.setAttribute('aria-selected', chosen);
    button.tabIndex = chosen ? 0 : -1;
  }
}

function drawUnitFocus() {
  const values = unitSeries(shownUnit()), scale = signedScale(sizeOf(values)), focus = focusToken();
  unitText.paint(signedPalette(), (position) => {
    const value = values[prompt().rowOf.get(position)];
    return value === undefined || Number.isNaN(value) ? -1 : scale(value);
  });
  unitChart.mark({ column: prompt().rowOf.get(focus), locked: state.lockedToken !== null });
}

function startNeurons() {
  const of = [...new Set(units.map((unit) => unit.layer))];
  $('unit-layer').append(element('option', { value: 'all' }, 'all'), ...of.map((layer) => element('option', { value: layer }, layer < 0 ? 'none' : layer)));
  $('unit-layer').addEventListener('change', (event) => {
    const first = units.findIndex((unit) => String(unit.layer) === event.target.value);
    update({ unitLayer: event.target.value, unit: Math.max(first, 0) });
  });
  $('units-title').textContent = contents.top_units ? 'Most active neurons' : 'Units';
  listenUnits();
  drawers.push((what) => {
    if (state.tab !== 'neurons') return;
    if (what === 'page') {
      unitText.fill(prompt());
      buildUnits();
    }
    if (what !== 'focus') drawUnitPicture();
    drawUnitFocus();
  });
}

/* ---- norms ---- */

const normPoints = [...new Set(contents.norms.map((norm) => norm.point))];
const normsOf = (point) => contents.norms.map((norm, i) => ({ ...norm, i })).filter((norm) => norm.point === point);
const normSeries = (norm) => series(normValues, contents.norms.length, prompt(), norm.i);

/* The layer whose norms colour the text: an index among those of the point. */
const shownNorm = () => Math.min(state.hoverLayer ?? state.normLayer ?? Infinity, normsOf(state.normPoint).length - 1);

function normRange() {
  const values = normsOf(state.normPoint).flatMap((norm) => Array.from(normSeries(norm))).filter((value) => value > 0);
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, 0]);
}

const normWords = (norm, position) => [`${norm.point} ${norm.layer}`, floatText(normSeries(norm)[prompt().rowOf.get(position)] ?? NaN), 'value'];

const normText = new TokenText($('norm-tokens'), tokenListener((position) => [normWords(normsOf(state.normPoint)[shownNorm()], position)]));

const normMap = new PixelMap($('norm-map'), {
  hover: (row, column, box) => {
    update({ cell: { row, column }, hoverLayer: row });
    normText.on.hover(prompt().rows[column], box);
  },
  leave: () => normText.on.leave(),
  click: (row, column) => {
    const same = state.normLayer === row && state.lockedToken === prompt().rows[column];
    update({ normLayer: same ? null : row, lockedToken: same ? null : prompt().rows[column] });
  },
});

function drawNormPicture() {
  const norms = normsOf(state.normPoint), scale = logScale(...normRange()), { rows, tokens } = prompt();
  const values = norms.map((norm) => normSeries(norm));
  const levelOf = (row, column) => (values[row][column] > 0 ? scale(values[row][column]) : Number.isNaN(values[row][column]) ? -1 : 0);
  $('norm-point').value = state.normPoint;
  normMap.show({
    of: norms.length ? prompt() : null, nRows: norms.length, nColumns: rows.length, colours: plainPalette(), levels: addedLevels,
    addRow: (row, columns, line) => addLevels(line, columns, (column) => levelOf(row, column), 0),
    rowPlace: (row) => `L${norms[row].layer}`, columnPlace: (column) => rows[column],
    rowLabel: (row) => `L${norms[row].layer}`, columnLabel: (column) => `${cutText(visible(tokens[rows[column]]))} ${rows[column]}`,
    rowTitle: 'layer', columnTitle: 'position', name: `Norms of ${state.normPoint}: layers down, positions across`,
    words: (row, column) => `layer ${norms[row].layer}, position ${rows[column]} ${tokenText(rows[column])}: ${floatText(values[row][column])}`,
  });
}

function drawNormFocus() {
  const norms = normsOf(state.normPoint), at = shownNorm(), [low, high] = normRange(), scale = logScale(low, high), focus = focusToken();
  const values = normSeries(norms[at]), row = prompt().rowOf.get(focus);
  normText.paint(plainPalette(), (position) => {
    const value = values[prompt().rowOf.get(position)];
    return value > 0 ? scale(value) : -1;
  });
  $('norm-shown').textContent = `norm of ${state.normPoint}, layer ${norms[at].layer}`;
  $('norm-sentence').textContent = high ? `L2 norm of the vector at each token; colours go from ${low.toPrecision(3)} to ${high.toPrecision(3)}, logarithmic.` : '';
  $('norm-title').replaceChildren(`Position ${focus} `, tokenName(focus));
  normMap.mark({ row: at, column: row, cell: state.cell, locked: state.lockedToken !== null });
  $('norm-layers').replaceChildren(...norms.map((norm, i) => {
    const value = normSeries(norm)[row] ?? NaN, meter = element('div');
    meter.style.width = `${value > 0 ? scale(value) / (LEVELS - 1) * 100 : 0}%`;
    const line = element('tr', { className: i === at ? 'go now' : 'go' }, element('td', { className: 'n' }, `L${norm.layer}`),
      element('td', { className: 'n' }, Number.isNaN(value) ? '-' : value.toPrecision(4)), element('td', { className: 'meter' }, meter));
    line.addEventListener('click', () => update({ normLayer: i }));
    return line;
  }));
}

function startResidual() {
  state.normPoint = normPoints.includes('resid_post') ? 'resid_post' : normPoints[0];
  $('norm-point').append(...normPoints.map((point) => element('option', { value: point }, point)));
  $('norm-point').addEventListener('change', (event) => update({ normPoint: event.target.value, normLayer: null, cell: null }));
  drawers.push((what) => {
    if (state.tab !== 'residual') return;
    if (what === 'page') normText.fill(prompt());
    if (what !== 'focus') drawNormPicture();
    drawNormFocus();
  });
}
