/* What the page holds: docs/viewer.md says how it is laid out. */

const $ = (id) => document.getElementById(id);
const contents = JSON.parse($('data-contents').textContent);

/* The bytes of a data block, which is dropped once it is read. */
function bytesOf(id) {
  const text = atob($(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  $(id).textContent = '';
  return bytes.buffer;
}

/* Little-endian on every machine that runs a browser today. */
const weights = new Uint16Array(bytesOf('data-weights'));
const unitValues = new Float32Array(bytesOf('data-units'));
const normValues = new Float32Array(bytesOf('data-norms'));

/* ---- weights: sixteen bits for four decimal digits ---- */

const CODE_ZERO = 0, CODE_TINY = 1, CODE_DIGITS = 2, DECADE = 9000, CODE_ONE = CODE_DIGITS + 7 * DECADE, CODE_NONE = 65535;

/* The number that each code stands for; NaN where nothing is stored. */
const codeValues = new Float64Array(65536).fill(NaN);
for (let code = CODE_DIGITS; code < CODE_ONE; code++) {
  const digits = 1000 + (code - CODE_DIGITS) % DECADE;
  codeValues[code] = digits / 10 ** (4 + Math.floor((code - CODE_DIGITS) / DECADE));
}
codeValues[CODE_ZERO] = 0;
codeValues[CODE_TINY] = 5e-8;
codeValues[CODE_ONE] = 1;

/* The stored weight, rounded to four digits, from the code alone: no arithmetic that could round again. */
function codeText(code) {
  if (code === CODE_NONE) return 'not stored';
  if (code === CODE_ZERO) return '0';
  if (code === CODE_TINY) return 'under 1e-7';
  if (code === CODE_ONE) return '1.000';
  const digits = String(1000 + (code - CODE_DIGITS) % DECADE), decade = Math.floor((code - CODE_DIGITS) / DECADE);
  if (decade < 4) return '0.' + '0'.repeat(decade) + digits;
  return `${digits[0]}.${digits.slice(1)}e-${decade + 1}`;
}

/* A float as stored: as few digits as read back the same float. */
function floatText(value) {
  if (Number.isNaN(value)) return 'not stored';
  let digits = 6;
  while (digits < 9 && Math.fround(Number(value.toPrecision(digits))) !== value) digits++;
  return String(Number(value.toPrecision(digits)));
}

/* ---- prompts, and where their values begin ---- */

const sinks = Boolean(contents.patterns && contents.patterns.sinks);

function placePrompts() {
  const nHeads = contents.patterns ? contents.patterns.layers.length * contents.patterns.heads.length : 0;
  let weight = 0, row = 0;
  for (const prompt of contents.prompts) {
    let size = 0;
    prompt.rowOf = new Map(prompt.rows.map((position, i) => [position, i]));
    prompt.rowStart = prompt.rows.map((position) => {       // of the weight on key 0, from the beginning of a head
      const start = size + (sinks ? 1 : 0);
      size = start + position + 1;
      return start;
    });
    Object.assign(prompt, { weight, row, headSize: size });
    weight += size * nHeads;
    row += prompt.rows.length;
  }
}
placePrompts();

/* The codes of one head (its place in the grid) on one prompt. */
function headCodes(prompt, head) {
  const start = prompt.weight + head * prompt.headSize;
  return weights.subarray(start, start + prompt.headSize);
}

/* One value a stored position: of series `i` among `n`, which lie prompt by prompt. */
function series(values, n, prompt, i) {
  const start = prompt.row * n + i * prompt.rows.length;
  return values.subarray(start, start + prompt.rows.length);
}

/* ---- heads shown together ---- */

function combined(prompt, heads, how) {
  const values = new Float64Array(prompt.headSize).fill(how === 'max' ? -1 : 0);
  for (const head of heads) {
    const codes = headCodes(prompt, head);
    for (let i = 0; i < codes.length; i++) {
      const value = codeValues[codes[i]];                   // a NaN stays one: rows that one head lacks are not shown
      if (how === 'max') values[i] = value > values[i] || Number.isNaN(value) ? value : values[i];
      else values[i] += value;
    }
  }
  if (how !== 'max') for (let i = 0; i < values.length; i++) values[i] /= heads.length;
  return values;
}

/* The pattern of one head, or of several as their mean or maximum. */
class Pattern {
  constructor(prompt, heads, how) {
    this.prompt = prompt;
    this.heads = heads;
    this.codes = heads.length === 1 ? headCodes(prompt, heads[0]) : null;
    this.values = this.codes ? Float64Array.from(this.codes, (code) => codeValues[code]) : combined(prompt, heads, how);
  }

  /* Index of a weight, -1 for what is masked or has no row. */
  at(query, key) {
    const row = this.prompt.rowOf.get(query);
    return row === undefined || key > query ? -1 : this.prompt.rowStart[row] + key;
  }

  value(query, key) {
    const i = this.at(query, key);
    return i < 0 ? NaN : this.values[i];
  }

  textAt(i) {
    if (this.codes) return codeText(this.codes[i]);
    return Number.isNaN(this.values[i]) ? 'not stored' : this.values[i].toPrecision(3);
  }

  text(query, key) {
    const i = this.at(query, key);
    if (i >= 0) return this.textAt(i);
    return key > query ? '0 (masked)' : 'not stored';
  }

  /* What the sink has of a stored query. */
  sink(query) {
    return sinks ? this.at(query, 0) - 1 : -1;
  }
}
