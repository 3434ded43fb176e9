/* Patterns of heads: with every weight, or as an overview that knows the largest weight of each block and the strongest
   keys of each query. All of them give codes, which grow with the weights; what maps are painted from is code + 1, 0 for nothing. */

const STRONGEST = 12;

/* The n pairs of largest code, falling, among those that each(see) hands to see(position, code). */
function strongestOf(n, each) {
  const found = [];
  each((position, code) => {
    if (code === 0 || code === CODE_NONE || (found.length === n && code <= found[n - 1].code)) return;
    let at = found.length < n ? found.length : n - 1;
    for (; at > 0 && found[at - 1].code < code; at--) found[at] = found[at - 1];
    found[at] = { position, code };
  });
  return found;
}

class Pattern {
  constructor(prompt, heads) {
    this.prompt = prompt;
    this.heads = heads;
  }

  /* The strongest of the known codes, as the focus sees them: keys of a query, or queries of a key. */
  strongest(focus, byQuery, hideFirst) {
    return strongestOf(STRONGEST, (see) => (byQuery ? this.eachKey(focus, (key, code) => hideFirst && key === 0 || see(key, code))
      : hideFirst && focus === 0 || this.eachQuery(focus, see)));
  }

  text(query, key) {
    if (key > query) return '0 (masked)';
    const code = this.code(query, key);
    if (code < 0) return `at most ${roundedUp(codeValues[this.bound(query, key)])}`;
    return this.heads.length > 1 && code !== CODE_NONE ? String(Number(codeValues[code].toPrecision(3))) : codeText(code);
  }

  /* The largest code there is. */
  largest(hideFirst) {
    this.most ??= [];
    return this.most[Number(hideFirst)] ??= this.findLargest(hideFirst);
  }
}

/* ---- every weight ---- */

class WholePattern extends Pattern {
  constructor(prompt, heads, codes) {
    super(prompt, heads);
    this.codes = codes;
    this.whole = true;
    this.bytes = codes.byteLength;
  }

  /* Index of a weight, -1 for what is masked or has no row. */
  at(query, key) {
    const row = this.prompt.rowOf.get(query);
    return row === undefined || key > query ? -1 : this.prompt.rowStart[row] + key;
  }

  code(query, key) {
    const i = this.at(query, key);
    return i < 0 ? CODE_NONE : this.codes[i];
  }

  sink(query) {
    return sinks && this.prompt.rowOf.has(query) ? this.codes[this.at(query, 0) - 1] : -1;
  }

  eachKey(query, see) {
    const start = this.at(query, 0);
    for (let key = 0; start >= 0 && key <= query; key++) see(key, this.codes[start + key]);
  }

  eachQuery(key, see) {
    const { rows, rowStart } = this.prompt;
    for (let row = 0; row < rows.length; row++) if (rows[row] >= key) see(rows[row], this.codes[rowStart[row] + key]);
  }

  findLargest(hideFirst) {
    let largest = 0;
    const { rows, rowStart } = this.prompt, { codes } = this;
    for (let row = 0; row < rows.length; row++)
      for (let i = rowStart[row] + (hideFirst ? 1 : 0), end = rowStart[row] + rows[row] + 1; i < end; i++)
        if (codes[i] > largest && codes[i] !== CODE_NONE) largest = codes[i];
    return largest;
  }

  /* Adds a row to a line of pixels: the largest code of the keys of each. */
  addRow(row, columns, line, hideFirst) {
    const { codes } = this, { from, end } = columns, start = this.prompt.rowStart[row], n = this.prompt.rows[row] + 1, first = hideFirst ? 1 : 0;
    for (let x = 0; x < line.length; x++) {
      const stop = Math.min(end[x], n);
      let most = line[x];
      for (let i = start + Math.max(from[x], first); i < start + stop; i++) {
        const code = codes[i] + 1 & 65535;
        if (code > most) most = code;
      }
      line[x] = most;
      if (from[x] >= n) break;
    }
  }
}

/* ---- overviews ---- */

class MapPattern extends Pattern {
  /* cells: { side, start, levels, withoutFirst }; strongest: { k, distances, codes }, by row; k 0: none are known; sinkCodes by row */
  constructor(prompt, heads, cells, strongest, sinkCodes) {
    super(prompt, heads);
    Object.assign(this, { cells, strongestKeys: strongest, sinkCodes, whole: false });
    this.bytes = cells.levels.length + 4 * strongest.codes.length;
    this.least = Uint16Array.from(prompt.rows, (_, row) => this.leastOf(row));
  }

  /* The most that a key can have that is not among the strongest of its query. */
  leastOf(row) {
    const { k, codes } = this.strongestKeys;
    if (k === 0) return CODE_ONE;
    return codes[row * k] === CODE_NONE ? 0 : codes[row * k + k - 1];
  }

  stored(row) {
    const { k, codes } = this.strongestKeys;
    return row !== undefined && (k === 0 || codes[row * k] !== CODE_NONE);
  }

  blockCode(row, key) {
    const { side, start, levels } = this.cells;
    return levelCodes[levels[start[Math.floor(row / side)] + Math.floor(key / side)]];
  }

  bound(query, key) {
    const row = this.prompt.rowOf.get(query);
    return Math.min(this.blockCode(row, key), this.least[row]);
  }

  /* -1: not among what is known. */
  code(query, key) {
    const row = this.prompt.rowOf.get(query), { k, distances, codes } = this.strongestKeys;
    if (!this.stored(row) || key > query) return CODE_NONE;
    for (let i = row * k; i < (row + 1) * k && codes[i]; i++) if (distances[i] === query - key) return codes[i];
    return this.bound(query, key) === 0 ? 0 : -1;
  }

  sink(query) {
    const row = this.prompt.rowOf.get(query);
    return this.sinkCodes && this.stored(row) ? this.sinkCodes[row] : -1;
  }

  eachKey(query, see) {
    const row = this.prompt.rowOf.get(query), { k, distances, codes } = this.strongestKeys;
    for (let i = row * k; this.stored(row) && i < (row + 1) * k && codes[i]; i++) see(query - distances[i], codes[i]);
  }

  eachQuery(key, see) {
    for (const query of this.prompt.rows) if (query >= key) this.eachKey(query, (at, code) => at === key && see(query, code));
  }

  findLargest(hideFirst) {
    const { start, levels, withoutFirst } = this.cells;
    let level = 0;
    for (let y = 0; y + 1 < start.length; y++)
      for (let i = start[y]; i < start[y + 1]; i++) level = Math.max(level, hideFirst && i === start[y] ? withoutFirst[y] : levels[i]);
    return levelCodes[level];
  }

  /* One row of blocks as a line of pixels. It is kept: many rows of the prompt are in it. */
  blockLine(y, columns, width, hideFirst) {
    const kept = this.keptLine, { side, start, levels, withoutFirst } = this.cells;
    if (kept && kept.y === y && kept.columns === columns && kept.hideFirst === hideFirst) return kept.line;
    const line = new Uint16Array(width), n = start[y + 1] - start[y];
    for (let x = 0; x < width; x++) {
      if (columns.end[x] <= columns.from[x]) continue;
      const last = Math.min(Math.floor((columns.end[x] - 1) / side), n - 1);
      for (let i = Math.floor(columns.from[x] / side); i <= last; i++) {
        const level = hideFirst && i === 0 ? withoutFirst[y] : levels[start[y] + i];
        if (levelCodes[level] + 1 > line[x]) line[x] = levelCodes[level] + 1;
      }
    }
    this.keptLine = { y, columns, hideFirst, line };
    return line;
  }

  addRow(row, columns, line, hideFirst) {
    if (!this.stored(row)) return;
    const query = this.prompt.rows[row], least = this.least[row] + 1, blocks = this.blockLine(Math.floor(row / this.cells.side), columns, line.length, hideFirst);
    const { from } = columns, { k, distances, codes } = this.strongestKeys;
    for (let x = 0; x < line.length && from[x] <= query; x++) {
      const bound = blocks[x] < least ? blocks[x] : least;
      if (bound > line[x]) line[x] = bound;
    }
    for (let i = row * k; i < (row + 1) * k && codes[i]; i++) {
      const key = query - distances[i];
      if (hideFirst && key === 0) continue;
      for (let x = columns.first(key); x <= columns.last(key); x++) if (codes[i] + 1 > line[x]) line[x] = codes[i] + 1;
    }
  }
}

/* Where each row of blocks begins: up to the block of its last query. */
function blockStarts(prompt, side) {
  const starts = [0];
  for (let row = 0; row < prompt.rows.length; row += side) {
    const last = prompt.rows[Math.min(row + side, prompt.rows.length) - 1];
    starts.push(starts[starts.length - 1] + Math.floor(last / side) + 1);
  }
  return starts;
}

function mapFromBytes(prompt, head, bytes) {
  const side = prompt.block, start = blockStarts(prompt, side), nCells = start[start.length - 1], nRows = start.length - 1;
  const k = contents.patterns.strongest, n = prompt.rows.length * k, at = nCells + nRows;
  return new MapPattern(prompt, [head],
    { side, start, levels: bytes.subarray(0, nCells), withoutFirst: bytes.subarray(nCells, at) },
    { k, distances: fromPlanes(bytes, at, n), codes: fromPlanes(bytes, at + 2 * n, n) },
    sinks ? fromPlanes(bytes, at + 4 * n, prompt.rows.length) : null);
}

/* A head with every weight as an overview, to be joined with others. */
function mapOfWhole(whole, side, k) {
  const { prompt } = whole, { rows } = prompt, start = blockStarts(prompt, side), nRows = start.length - 1;
  const most = new Uint16Array(start[nRows]), mostRest = new Uint16Array(nRows), distances = new Uint16Array(rows.length * k), codes = new Uint16Array(rows.length * k);
  rows.forEach((query, row) => {
    const y = Math.floor(row / side);
    whole.eachKey(query, (key, code) => {
      if (code === CODE_NONE) return;
      const i = start[y] + Math.floor(key / side);
      if (code > most[i]) most[i] = code;
      if (key > 0 && key < side && code > mostRest[y]) mostRest[y] = code;
    });
    whole.strongest(query, true, false).slice(0, k).forEach(({ position, code }, i) => {
      distances[row * k + i] = query - position;
      codes[row * k + i] = code;
    });
  });
  const levels = (list) => Uint8Array.from(list, (code) => Math.ceil(Math.sqrt(codeValues[code]) * 255 - 1e-9));
  return new MapPattern(prompt, whole.heads, { side, start, levels: levels(most), withoutFirst: levels(mostRest) }, { k, distances, codes }, null);
}

/* ---- several heads ---- */

const MOST_TOGETHER = 64e6;             // weights that are added up: more takes too long

const canAverage = (parts) => parts.every(({ whole }) => whole) && parts.length * parts[0].prompt.headSize <= MOST_TOGETHER;

function joinWhole(parts, how) {
  const { prompt } = parts[0], n = prompt.headSize, heads = parts.flatMap((part) => part.heads), codes = new Uint16Array(n);
  for (let i = 0; i < n; i++) {
    let sum = 0, most = 0;
    for (const part of parts) {
      const code = part.codes[i];
      sum += codeValues[code];                            // a NaN stays one: rows that one head lacks are not shown
      if (code > most) most = code;
    }
    codes[i] = how === 'max' ? most : codeOf(sum / parts.length);
  }
  return new WholePattern(prompt, heads, codes);
}

/* The keys of one query that are the strongest in several heads: only as far down as each head's are known. */
function joinKeys(parts, row, k) {
  const query = parts[0].prompt.rows[row], least = Math.max(...parts.map((part) => part.least[row])), best = new Map();
  for (const part of parts) part.eachKey(query, (key, code) => best.set(key, Math.max(code, best.get(key) ?? 0)));
  return { query, least, found: strongestOf(k, (see) => best.forEach((code, key) => code >= least && see(key, code))) };
}

/* The maximum of several heads, of which at least one is an overview. */
function joinMaps(parts) {
  const { prompt } = parts[0], side = prompt.block ?? Math.max(1, Math.ceil(prompt.tokens.length / 512)), k = contents.patterns.strongest || 8;
  const maps = parts.map((part) => (part.whole ? mapOfWhole(part, side, k) : part)), { start } = maps[0].cells, heads = parts.flatMap((part) => part.heads);
  const most = (name) => Uint8Array.from(maps[0].cells[name], (_, i) => Math.max(...maps.map((map) => map.cells[name][i])));
  const distances = new Uint16Array(prompt.rows.length * k), codes = new Uint16Array(prompt.rows.length * k);
  const leasts = prompt.rows.map((_, row) => {
    const { query, least, found } = joinKeys(maps, row, k);
    found.forEach(({ position, code }, i) => {
      distances[row * k + i] = query - position;
      codes[row * k + i] = code;
    });
    if (!maps.every((map) => map.stored(row))) codes[row * k] = CODE_NONE;
    return Math.max(least, found.length === k ? found[k - 1].code : 0);
  });
  const joined = new MapPattern(prompt, heads, { side, start, levels: most('levels'), withoutFirst: most('withoutFirst') }, { k, distances, codes }, null);
  joined.least = Uint16Array.from(leasts);
  return joined;
}

const joinPatterns = (parts, how) => (canAverage(parts) ? joinWhole(parts, how) : joinMaps(parts));

/* ---- what is read: a head when it is looked at, and kept while there is room ---- */

const KEPT_BYTES = 256e6;
const kept = new Map();                 // by prompt and head: a pattern, or 'coming'

function keep(name, pattern) {
  kept.set(name, pattern);
  let bytes = 0;
  for (const one of kept.values()) bytes += one.bytes ?? 0;
  for (const [old, one] of kept) {
    if (bytes <= KEPT_BYTES || old === name) break;
    if (!one.bytes) continue;
    bytes -= one.bytes;
    kept.delete(old);
  }
}

/* Calls make(bytes) now or when they have come, and then draws anew. @return what it made, null until then. */
function readBlock(name, block, make) {
  const bytes = bytesOfBlock(block);
  if (bytes instanceof Uint8Array) {
    keep(name, make(bytes));
    return kept.get(name);
  }
  kept.set(name, 'coming');
  bytes.then((come) => {
    keep(name, make(come));
    redrawAs('picture');
  });
  return null;
}

/* One head of a prompt; null while it is not there yet. */
function headPattern(prompt, head) {
  const name = `${prompt.place}-${head}`, known = kept.get(name);
  if (known) {
    if (known === 'coming') return null;
    kept.delete(name);
    kept.set(name, known);              // the one used last is dropped last
    return known;
  }
  const loading = document.readyState === 'loading', whole = blockOf(`head-${name}`), map = whole || loading ? null : blockOf(`map-${name}`);
  if (whole) return readBlock(name, whole, (bytes) => new WholePattern(prompt, [head], fromPlanes(bytes, 0, prompt.headSize)));
  if (map) return readBlock(name, map, (bytes) => mapFromBytes(prompt, head, bytes));
  return loading ? null : new WholePattern(prompt, [head], new Uint16Array(prompt.headSize).fill(CODE_NONE));
}

/* ---- thumbnails ---- */

/* All thumbnails of a prompt of more than 64 tokens, one after the other; null while they are not there yet. */
function thumbBytes(prompt) {
  const name = `thumbs-${prompt.place}-0`, known = kept.get(name);
  if (known) return known === 'coming' ? null : known.thumbs;
  const block = blockOf(name);
  return block ? readBlock(name, block, (thumbs) => ({ thumbs }))?.thumbs ?? null : null;
}

/* One head's: { rows, columns, levels, withoutFirst }. */
function thumbOf(prompt, head) {
  const bytes = thumbBytes(prompt), rows = Math.ceil(prompt.rows.length / prompt.thumb), columns = Math.ceil(prompt.tokens.length / prompt.thumb);
  const start = head * rows * (columns + 1), middle = start + rows * columns;
  return bytes && { rows, columns, levels: bytes.subarray(start, middle), withoutFirst: bytes.subarray(middle, middle + rows) };
}

/* The stand-in for a head until its weights have come: its overview, if the page has that, else its thumbnail. */
function meanwhile(prompt, head) {
  const name = `map-${prompt.place}-${head}`, known = kept.get(name), block = known ? null : blockOf(name);
  const map = block ? readBlock(name, block, (bytes) => mapFromBytes(prompt, head, bytes)) : known;
  return map instanceof Pattern ? map : thumbPattern(prompt, head);
}

function thumbPattern(prompt, head) {
  const thumb = prompt.thumb ? thumbOf(prompt, head) : null;
  if (!thumb) return new WholePattern(prompt, [head], new Uint16Array(prompt.headSize).fill(CODE_NONE));
  const start = Array.from({ length: thumb.rows + 1 }, (_, y) => y * thumb.columns);
  return new MapPattern(prompt, [head], { side: prompt.thumb, start, levels: thumb.levels, withoutFirst: thumb.withoutFirst },
    { k: 0, distances: new Uint16Array(0), codes: new Uint16Array(0) }, null);
}
