/* Colours: those of weir's other pictures on dark ground, their counterpart on light. */

const STOPS = {
  dark: [[10, 8, 20], [110, 30, 120], [240, 110, 50], [255, 245, 180]],
  light: [[252, 251, 248], [246, 190, 110], [205, 66, 96], [62, 16, 92]],
  darkSigned: [[190, 228, 255], [52, 122, 216], [26, 23, 36], [238, 108, 48], [255, 240, 170]],
  lightSigned: [[16, 52, 128], [96, 158, 224], [252, 251, 248], [238, 138, 84], [128, 34, 14]],
};
const LEVELS = 256;

function ramp(stops) {
  return Array.from({ length: LEVELS }, (_, i) => {
    const at = i / (LEVELS - 1) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
    return stops[low].map((from, c) => Math.round(from + (stops[low + 1][c] - from) * (at - low)));
  });
}

/* A ramp as what goes into pixels, into styles, and which ink can be read on it. */
function palette(stops) {
  const colours = ramp(stops);
  return {
    pixels: Uint32Array.from(colours, ([r, g, b]) => (255 << 24 | b << 16 | g << 8 | r) >>> 0),
    styles: colours.map((rgb) => `rgb(${rgb.join(' ')})`),
    inks: colours.map(([r, g, b]) => (0.3 * r + 0.59 * g + 0.11 * b > 140 ? '#14121c' : '#f6f4fa')),
  };
}

const PALETTES = Object.fromEntries(Object.entries(STOPS).map(([name, stops]) => [name, palette(stops)]));

const systemDark = matchMedia('(prefers-color-scheme: dark)');

function theme() {
  return state.theme === 'auto' ? (systemDark.matches ? 'dark' : 'light') : state.theme;
}

const plainPalette = () => PALETTES[theme()];
const signedPalette = () => PALETTES[theme() + 'Signed'];

const level = (part) => Math.round(Math.min(Math.max(part, 0), 1) * (LEVELS - 1));

/* Scales by which weights become levels; 'fit' stretches to `largest`. */
function weightScale(kind, largest) {
  if (kind === 'root') return (value) => level(Math.sqrt(value));
  if (kind === 'linear') return level;
  return (value) => level(largest > 0 ? value / largest : 0);
}

/* From -largest over 0 in the middle to largest. */
const signedScale = (largest) => (value) => level(0.5 + (largest > 0 ? value / largest / 2 : 0));

/* Norms span orders of magnitude: a logarithm. */
function logScale(least, largest) {
  const low = Math.log(least), span = Math.log(largest) - low;
  return (value) => level(span > 0 ? (Math.log(value) - low) / span : 1);
}

function paintLegend(canvas, colours) {
  canvas.width = LEVELS;
  const image = new ImageData(LEVELS, 1);
  new Uint32Array(image.data.buffer).set(colours.pixels);
  canvas.getContext('2d').putImageData(image, 0, 0);
}

function showTheme() {
  document.documentElement.dataset.theme = theme();
  document.documentElement.style.setProperty('--cell', plainPalette().styles[0]);
  $('theme').textContent = `\u25d0 ${state.theme}`;
  $('theme').title = `Colours: ${state.theme === 'auto' ? 'as the system' : state.theme} (t)`;
  $('theme').setAttribute('aria-label', $('theme').title);
}
