/* The contents of the page, and how they are read: docs/viewer.md has the layout. */

const $ = (id) => document.getElementById(id);
const contents = JSON.parse($('data-contents').textContent);

const bytesOfText = Uint8Array.fromBase64 ? (text) => Uint8Array.fromBase64(text) : (text) => {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
};

/* A block of data that has come whole: while the page loads, something follows it once it has. */
function blockOf(id) {
  const block = $(id);
  return block && (block.nextSibling || document.readyState !== 'loading') ? block : null;
}

/* Its bytes, or a promise of them where they are deflated. */
function bytesOfBlock(block) {
  const bytes = bytesOfText(block.textContent);
  if (!block.classList.contains('deflate')) return bytes;
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Response(inflated).arrayBuffer().then((buffer) => new Uint8Array(buffer));
}

/* Little-endian on every machine that runs a browser today. */
const floatsOf = (id) => new Float32Array(bytesOfText($(id).textContent).buffer);
const unitValues = floatsOf('data-units'), normValues = floatsOf('data-norms');

/* Numbers of sixteen bits from bytes at `start`: first n high bytes, then n low ones. */
function fromPlanes(bytes, start, n) {
  const numbers = new Uint16Array(n);
  for (let i = 0, low = start + n; i < n; i++) numbers[i] = bytes[start + i] << 8 | bytes[low + i];
  return numbers;
}

/* ---- weights: sixteen bits for four decimal digits; of two weights the larger has the larger code ---- */

const CODE_TINY = 1, CODE_DIGITS = 2, DECADE = 9000, DECADES = 7, CODE_ONE = CODE_DIGITS + DECADES * DECADE, CODE_NONE = 65535;

/* The number of each code; NaN where nothing is stored. */
const codeValues = new Float64Array(65536).fill(NaN);
for (let code = CODE_DIGITS; code < CODE_ONE; code++) {
  const digits = 1000 + (code - CODE_DIGITS) % DECADE;
  codeValues[code] = digits / 10 ** (3 + DECADES - Math.floor((code - CODE_DIGITS) / DECADE));
}
codeValues[0] = 0;
codeValues[CODE_TINY] = 5e-8;
codeValues[CODE_ONE] = 1;

/* The code nearest to a number. */
function codeOf(value) {
  if (!(value >= 0)) return CODE_NONE;
  let decade = DECADES - 1, digits = value * 1e4;
  while (digits < 1000 && decade > 0) {
    digits *= 10;
    decade--;
  }
  if (digits < 1000) return value > 0 ? CODE_TINY : 0;
  return Math.min(CODE_DIGITS + decade * DECADE + Math.round(digits) - 1000, CODE_ONE);
}

/* Levels of overviews are square roots on a scale of 0 to 255, rounded up. */
const levelCodes = Uint16Array.from({ length: 256 }, (_, level) => codeOf((level / 255) ** 2));

/* The stored weight, rounded to four digits, from the code alone: no arithmetic that could round again. */
function codeText(code) {
  if (code === CODE_NONE) return 'not stored';
  if (code === 0) return '0';
  if (code === CODE_TINY) return 'under 1e-7';
  if (code === CODE_ONE) return '1.000';
  const digits = String(1000 + (code - CODE_DIGITS) % DECADE), decade = DECADES - 1 - Math.floor((code - CODE_DIGITS) / DECADE);
  if (decade < 4) return '0.' + '0'.repeat(decade) + digits;
  return `${digits[0]}.${digits.slice(1)}e-${decade + 1}`;
}

/* A number that is no less, of two digits. */
function roundedUp(value) {
  if (!(value > 0)) return '0';
  const step = 10 ** (Math.floor(Math.log10(value)) - 1);
  return String(Number((Math.ceil(value / step * (1 - 1e-9)) * step).toPrecision(2)));
}

/* A float as stored: as few digits as read back the same float. */
function floatText(value) {
  if (Number.isNaN(value)) return 'not stored';
  let digits = 6;
  while (digits < 9 && Math.fround(Number(value.toPrecision(digits))) !== value) digits++;
  return String(Number(value.toPrecision(digits)));
}

/* ---- prompts ---- */

const sinks = Boolean(contents.patterns && contents.patterns.sinks), sinkRoom = sinks ? 1 : 0;

/* Where the values of each prompt begin; headSize: how many codes a head has. */
function placePrompts() {
  let row = 0;
  contents.prompts.forEach((prompt, place) => {
    let size = 0;
    prompt.rowOf = new Map(prompt.rows.map((position, i) => [position, i]));
    prompt.rowStart = Int32Array.from(prompt.rows, (position) => {      // of the weight on key 0, from the beginning of a head
      const start = size + sinkRoom;
      size = start + position + 1;
      return start;
    });
    Object.assign(prompt, { place, row, headSize: size });
    row += prompt.rows.length;
  });
}
placePrompts();

/* One value a stored position: of series `i` among `n`, which lie prompt by prompt. */
function series(values, n, prompt, i) {
  const start = prompt.row * n + i * prompt.rows.length;
  return values.subarray(start, start + prompt.rows.length);
}
