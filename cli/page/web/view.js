/* The part of a matrix that a map shows, and the cells of each pixel. Lengths are in the screen's own pixels. */

const MOST_CELL = 34;                   // CSS pixels that a cell may be wide
const LEAST_SPAN = 3;                   // cells that are in view at the least

/* One axis: n cells, of which those from `start` on are shown at `scale` pixels a cell in `room` pixels. */
class Axis {
  constructor(n, room, most) {
    Object.assign(this, { n, room, most, fit: Math.min(room / n, most) });
    this.show(0, this.fit);
  }

  /* Never smaller than whole, never past its ends. */
  show(start, scale) {
    this.scale = Math.min(Math.max(scale, this.fit), Math.max(this.most, this.fit, this.room / Math.max(this.n, 1)));
    this.length = Math.min(Math.round(this.n * this.scale), this.room);
    this.start = Math.min(Math.max(start, 0), Math.max(this.n - this.length / this.scale, 0));
    this.cells = null;
  }

  get end() {
    return Math.min(this.start + this.length / this.scale, this.n);
  }

  get isWhole() {
    return this.scale <= this.fit * 1.0001;
  }

  toPixel(cell) {
    return (cell - this.start) * this.scale;
  }

  toCell(pixel) {
    return Math.min(Math.max(Math.floor(this.start + pixel / this.scale), 0), this.n - 1);
  }

  zoom(factor, pixel) {
    const cell = this.start + pixel / this.scale, scale = Math.min(Math.max(this.scale * factor, this.fit), Math.max(this.most, this.fit));
    this.show(cell - pixel / scale, scale);
  }

  pan(pixels) {
    this.show(this.start + pixels / this.scale, this.scale);
  }

  showCells(from, end) {
    this.show(from, this.room / Math.max(end - from, LEAST_SPAN));
  }

  /* Moves as little as is needed for a cell to be in view. */
  reveal(cell) {
    const margin = Math.min(2, this.length / this.scale / 4);
    if (cell < this.start) this.show(cell - margin, this.scale);
    else if (cell + 1 > this.end) this.show(cell + 1 + margin - this.length / this.scale, this.scale);
    else return false;
    return true;
  }

  /* For each pixel the cells in it, `from` to `end` - 1. A cell is in one pixel where pixels are larger than cells, so
     that none is left out; where they are smaller, a pixel is in one cell. first, last: the pixels of a cell. */
  get pixels() {
    if (this.cells) return this.cells;
    const { length, scale, start, n } = this, from = new Int32Array(length), end = new Int32Array(length);
    if (scale >= 1) {
      for (let x = 0; x < length; x++) {
        from[x] = Math.min(Math.floor(start + (x + 0.5) / scale), n - 1);
        end[x] = from[x] + 1;
      }
    } else {
      let cell = Math.max(Math.ceil(start - 0.5), 0);
      for (let x = 0; x < length; x++) {
        from[x] = cell;
        while (cell < n && (cell + 0.5 - start) * scale < x + 1) cell++;
        end[x] = cell;
      }
      if (this.isWhole && length) end[length - 1] = n;
    }
    const pixelOf = (cell) => (this.isWhole ? Math.min(Math.floor((cell + 0.5 - start) * scale), length - 1) : Math.floor((cell + 0.5 - start) * scale));
    const edge = (cell) => Math.ceil((cell - start) * scale - 0.5);
    const first = (cell) => Math.max(scale >= 1 ? edge(cell) : pixelOf(cell), 0);
    const last = (cell) => Math.min(scale >= 1 ? edge(cell + 1) - 1 : pixelOf(cell), length - 1);
    return this.cells = { from, end, first, last };
  }

  /* Places of marks at round distances of at least `apart` pixels, within the view. */
  ticks(apart) {
    const least = apart / this.scale, ten = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
    const step = Math.max(1, [1, 2, 5, 10].map((by) => by * ten).find((one) => one >= least));
    const list = [];
    for (let cell = Math.ceil(this.start / step - 1e-9) * step; cell < this.end; cell += step) list.push(cell);
    return list;
  }
}
