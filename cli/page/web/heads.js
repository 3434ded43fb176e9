/* Heads: which are shown, and every one small, as a button in a grid. */

const SMALL = 64;

const layers = contents.patterns ? contents.patterns.layers : [], heads = contents.patterns ? contents.patterns.heads : [];
const nHeads = layers.length * heads.length;
const headName = (i) => `layer ${layers[Math.floor(i / heads.length)]}, head ${heads[i % heads.length]}`;
const shortName = (i) => `L${layers[Math.floor(i / heads.length)]} H${heads[i % heads.length]}`;

/* ---- which heads are shown ---- */

/* Without a choice the one of the highest score: a mean of all heads tells little. */
function shownHeads() {
  if (state.hoverHead !== null) return [state.hoverHead];
  return state.locked.size ? [...state.locked].sort((a, b) => a - b) : [contents.patterns.opening];
}

function toggleHead(i) {
  const locked = new Set(state.locked);
  if (!locked.delete(i)) locked.add(i);
  update({ locked });
}

const soloHead = (i) => update({ locked: new Set([i]) });

const allHeads = () => update({ locked: new Set(thumbs.keys()) });

/* Another head alone: `step` further in the grid, from the first of those shown. */
function stepHead(step) {
  const next = (state.locked.size ? Math.min(...state.locked) : contents.patterns.opening) + step;
  if (next >= 0 && next < nHeads) soloHead(next);
}

/* The name of the shown heads: "layer 3, head 1", "mean of 3 heads: L0 H1, L3 H1, ...". */
function shownWords() {
  const shown = shownHeads();
  if (shown.length === 1) return headName(shown[0]) + (state.locked.has(shown[0]) ? ', locked' : '');
  const how = state.combine === 'max' || !currentPattern().whole ? 'maximum' : 'mean';
  if (shown.length === nHeads) return `${how} of all ${nHeads} heads`;
  const names = shown.slice(0, 4).map(shortName).join(', ') + (shown.length > 4 ? ', \u2026' : '');
  return `${how} of ${shown.length} heads: ${names}`;
}

/* ---- what they score ---- */

const SCORES = { previous: 'previous token', duplicate: 'duplicate token', induction: 'induction' };

/* The detection scores of a head, the highest first: [[name, value]]. */
function scoresOf(i) {
  return Object.keys(SCORES).map((name) => [name, contents.patterns[name][i]]).filter(([, value]) => value !== null).sort((a, b) => b[1] - a[1]);
}

function scoreWords(i) {
  return scoresOf(i).map(([name, value]) => `${SCORES[name]} ${value.toFixed(2)}`).join(', ');
}

/* ---- thumbnails: a button for each head, and over those of a layer one canvas (one a head would cost every hover) ---- */

const thumbs = [];          // buttons, by head
const strips = [];          // of layers: { row, canvas, fresh, seen }

function buildThumb(i) {
  const button = element('button', {
    className: 'thumb', role: 'gridcell', tabIndex: i ? -1 : 0, title: headName(i), 'aria-label': `${headName(i)}: ${scoreWords(i)}`, 'aria-selected': 'false',
  });
  button.dataset.head = i;
  thumbs.push(button);
  return button;
}

/* Only layers in sight are drawn. */
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const strip = strips[Number(target.dataset.layer)];
    strip.seen = isIntersecting;
    if (isIntersecting && !strip.fresh) drawStrip(strip);
  }
});

/* The levels of one head as small rows: { width, height, levels }; null while they are not there yet. Of long prompts they are the
   largest of each block. */
function smallLevels(i) {
  const { rows, tokens } = prompt(), lut = levelsFor(state.scale === 'fit' ? null : 1), levels = (codes) => Int16Array.from(codes, (code) => Math.max(lut[code], 0));
  if (prompt().thumb) {
    const thumb = thumbOf(prompt(), i);
    if (!thumb) return null;
    const codes = Uint16Array.from(thumb.levels, (level, at) =>
      levelCodes[state.hideFirst && at % thumb.columns === 0 ? thumb.withoutFirst[at / thumb.columns] : level] + 1);
    return { width: thumb.columns, height: thumb.rows, levels: levels(stretched(codes)) };
  }
  const shown = headPattern(prompt(), i), width = tokens.length, line = new Uint16Array(width * rows.length);
  if (!shown) return null;
  rows.forEach((query, row) => shown.eachKey(query, (key, code) => {
    if (!isHidden(key)) line[row * width + key] = code + 1;
  }));
  return { width, height: rows.length, levels: levels(stretched(line)) };
}

/* On the scale that ends at the largest, each thumbnail has its own: codes are moved to where that is 1. */
function stretched(codes) {
  if (state.scale !== 'fit') return codes;
  const largest = codeValues[Math.max(codes.reduce((most, code) => Math.max(most, code), 0) - 1, 0)];
  return codes.map((code) => (code ? codeOf(codeValues[code - 1] / (largest || 1)) + 1 : 0));
}

function smallImage(i) {
  const small = smallLevels(i), { pixels } = plainPalette();
  if (!small) return null;
  const image = new ImageData(small.width, small.height);
  new Uint32Array(image.data.buffer).set(Array.from(small.levels, (at) => pixels[at]));
  return image;
}

function drawStrip(strip) {
  const { row, canvas } = strip, buttons = [...row.querySelectorAll('.thumb')], ratio = devicePixelRatio || 1, border = 2;
  const left = buttons[0].offsetLeft, last = buttons[buttons.length - 1], size = buttons[0].clientWidth;
  if (!size) return;
  canvas.style.left = `${left}px`;
  canvas.style.width = `${last.offsetLeft + last.offsetWidth - left}px`;
  canvas.width = Math.round((last.offsetLeft + last.offsetWidth - left) * ratio);
  canvas.height = Math.round(buttons[0].offsetHeight * ratio);
  const context = canvas.getContext('2d'), small = element('canvas');
  context.scale(ratio, ratio);
  for (const button of buttons) {
    const image = smallImage(Number(button.dataset.head));
    if (!image) {
      waitForData();
      return;
    }
    small.width = image.width;
    small.height = image.height;
    small.getContext('2d').putImageData(image, 0, 0);
    context.imageSmoothingEnabled = image.width > size * ratio;             // what is made larger stays sharp
    context.drawImage(small, button.offsetLeft - left + border, border, size, size);
  }
  strip.fresh = true;
}

function drawStrips() {
  for (const strip of strips) {
    strip.fresh = false;
    if (strip.seen) drawStrip(strip);
  }
}

function buildRow(layer, y) {
  const canvas = element('canvas', { className: 'strip' }), cells = heads.map((_, x) => buildThumb(y * heads.length + x));
  const name = element('span', { className: 'number layer', role: 'rowheader', 'aria-label': `layer ${layer}` }, `L${layer}`);
  const row = element('div', { role: 'row' }, name, ...cells, canvas);
  row.dataset.layer = y;
  strips.push({ row, canvas, fresh: false, seen: false });
  return row;
}

function buildGrid() {
  const grid = $('heads'), corner = element('span', { className: 'number layer', role: 'columnheader' }, '');
  grid.style.setProperty('--columns', heads.length);
  grid.append(element('div', { role: 'row' }, corner, ...heads.map((head) =>
    element('span', { className: 'number', role: 'columnheader', 'aria-label': `head ${head}` }, head))));
  layers.forEach((layer, y) => grid.append(buildRow(layer, y)));
  for (const { row } of strips) watcher.observe(row);
  new ResizeObserver(drawStrips).observe(grid);
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
  else if (at + step >= 0 && at + step < nHeads) thumbs[at + step].focus();
  event.preventDefault();
  event.stopPropagation();
}

function markThumbs() {
  const shown = new Set(shownHeads()), place = state.hoverHead ?? Math.min(nHeads - 1, ...state.locked);
  thumbs.forEach((button, i) => {
    button.setAttribute('aria-selected', state.locked.has(i));
    button.classList.toggle('shown', shown.size < nHeads && shown.has(i));
    button.tabIndex = i === (state.locked.size || state.hoverHead !== null ? place : contents.patterns.opening) ? 0 : -1;
  });
}

