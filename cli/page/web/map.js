/* A matrix as a picture with rulers. Every pixel shows the largest of the cells in it, at every zoom: no picture is
   ever scaled. Marks are elements on top, so that hovering draws nothing. */

const LABEL_FONT = '11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
const LABEL_PITCH = 13, LABEL_LETTERS = 12, ROTATION = -Math.PI / 3, LETTER = 6.7, LONG = 200, STILL = 4;

const cutText = (text, n = LABEL_LETTERS) => (text.length > n ? text.slice(0, n - 1) + '\u2026' : text);

class PixelMap {
  /* on: { hover(row, column, box), leave(), click(row, column) }; options: { high: rows are zoomed too, hatched: what is
     absent is seen as such, touched(): the view is another } */
  constructor(box, on, options = {}) {
    Object.assign(this, { box, on, options, data: null });
    this.canvas = element('canvas', { tabIndex: 0, role: 'application', 'aria-roledescription': 'map' });
    this.marks = ['band', 'band', 'cell'].map((className) => element('div', { className, hidden: true }));
    this.frame = element('div', { className: 'frame' }, ...this.marks);
    this.chosen = element('div', { className: 'chosen', hidden: true });
    this.ground = element('div', { className: 'ground', hidden: !options.hatched });
    box.append(this.ground, this.canvas, this.frame, this.chosen);
    this.listen();
    new ResizeObserver(() => this.resized()).observe(box);
  }

  /* data: { nRows, nColumns, addRow(row, columns, line): adds the row's values to a line of pixels; levels: of the
     values in the line, -1 for nothing; rowLabel(row), columnLabel(column), rowPlace(row), columnPlace(column): the
     numbers on the rulers; rowTitle, columnTitle, name, colours, square, words(row, column), rowTicks: the rows to
     label } */
  show(data) {
    const same = this.data && this.data.nRows === data.nRows && this.data.nColumns === data.nColumns && this.data.of === data.of;
    this.data = data;
    this.canvas.setAttribute('aria-label', data.name);
    this.draw(!same);
  }

  /* ---- where things are ---- */

  get ratio() {
    return devicePixelRatio || 1;
  }

  /* Room for the labels of an axis: of tokens where there is room for each, else of positions. */
  margin(n, label, place, named) {
    let letters = 4;
    for (let i = 0; i < n; i += named && n > LONG ? n : 1) letters = Math.max(letters, Math.min((named ? label(i) : String(place(i))).length, LABEL_LETTERS + 5));
    return (named && n > LONG ? LABEL_LETTERS + 5 : letters) * LETTER;
  }

  isNamed(axis) {
    return axis.scale >= LABEL_PITCH * this.ratio;
  }

  /* The axes for the room that there is; `from` are those before, whose view is kept. Long labels take room from the cells, which is
     why it takes two goes. */
  place(from = null) {
    const { nRows, nColumns, rowLabel, columnLabel, rowPlace, columnPlace, rowTicks } = this.data, { ratio } = this, top = 6;
    const width = this.box.clientWidth, height = this.box.clientHeight;
    let named = from ?? { down: true, across: true };
    for (let go = 0; go < 2; go++) {
      const left = Math.round(this.margin(nRows, rowLabel, rowPlace, named.down || Boolean(rowTicks)) + 22);
      const below = named.across ? this.margin(nColumns, columnLabel, columnPlace, true) * 0.87 + 24 : 34;
      Object.assign(this, { left, top, width, height });
      this.makeAxes(Math.max(Math.floor((width - left - 8) * ratio), 16), Math.max(Math.floor((height - below - 8 - top) * ratio), 16));
      if (from) break;
      named = { down: this.isNamed(this.down), across: this.isNamed(this.across) };
    }
    this.named = named;
  }

  makeAxes(wide, high) {
    const { nRows, nColumns, square } = this.data, most = MOST_CELL * this.ratio;
    let across = square ? Math.min(wide / nColumns, most) : wide / nColumns, down = Math.min(high / nRows, most);
    if (square) [across, down] = [Math.min(across, 2 * down), Math.min(down, 2 * across)];
    this.across = new Axis(nColumns, Math.min(wide, Math.round(across * nColumns)), square ? most : Math.max(most, wide / nColumns));
    this.down = new Axis(nRows, Math.min(high, Math.round(down * nRows)), this.options.high ? most : down);
  }

  /* Places the cells anew, each as far as can be where it was. */
  placeAgain(named) {
    const { across, down, left } = this;
    this.place(named);
    this.across.show(across.start + (this.left - left) * this.ratio / across.scale, across.scale);
    this.down.show(down.start, down.scale);
  }

  /* Another room: the whole stays whole, a part a part. */
  resized() {
    if (!this.data || !this.box.clientWidth) return;
    const part = !this.isWhole;
    if (part) this.placeAgain(this.named);
    this.draw(!part);
  }

  /* After a change of the view: where other labels are wanted, or none, with the room that these leave. */
  shift() {
    const named = { down: this.isNamed(this.down), across: this.isNamed(this.across) };
    if (named.down !== this.named.down || named.across !== this.named.across) this.placeAgain(named);
    this.draw();
  }

  /* CSS pixels, from the corner of the cells. */
  rect(row, column) {
    const { ratio, across, down } = this;
    return { x: across.toPixel(column) / ratio, y: down.toPixel(row) / ratio, width: across.scale / ratio, height: down.scale / ratio };
  }

  cellAt(x, y) {
    if (!this.data || !this.across) return null;
    const px = (x - this.left) * this.ratio, py = (y - this.top) * this.ratio;
    if (px < 0 || py < 0 || px >= this.across.length || py >= this.down.length) return null;
    return this.strongestNear(Math.floor(px), Math.floor(py));
  }

  /* Where a pixel has many cells: the one whose weight it shows. */
  strongestNear(px, py) {
    const { across, down, data } = this, columns = across.pixels, rows = down.pixels;
    const cell = { row: down.toCell(py), column: across.toCell(px) };
    if (across.scale >= 1 && down.scale >= 1 || !data.strongestIn) return cell;
    return data.strongestIn(rows.from[py], rows.end[py], columns.from[px], columns.end[px]) ?? cell;
  }

  /* ---- drawing ---- */

  draw(anew = false) {
    if (!this.data || !this.box.clientWidth) return;
    if (anew || !this.across) this.place();
    const { canvas, width, height, ratio } = this;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext('2d');
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    this.drawCells(context);
    context.scale(ratio, ratio);
    this.drawRulers(context);
    Object.assign(this.frame.style, { left: `${this.left - 3}px`, top: `${this.top - 3}px`, width: `${this.across.length / ratio + 6}px`, height: `${this.down.length / ratio + 6}px` });
    Object.assign(this.ground.style, { left: `${this.left}px`, top: `${this.top}px`, width: `${this.across.length / ratio}px`, height: `${this.down.length / ratio}px` });
    this.mark(this.marked ?? {});
    this.options.touched?.();
  }

  drawCells(context) {
    const { across, down, data, ratio } = this, width = across.length, height = down.length, { levels, colours } = data;
    const image = new ImageData(width, height), pixels = new Uint32Array(image.data.buffer), columns = across.pixels, rows = down.pixels;
    const line = new Uint16Array(width);
    for (let y = 0; y < height; y++) {
      const at = y * width;
      if (y > 0 && rows.from[y] === rows.from[y - 1] && rows.end[y] === rows.end[y - 1]) {
        pixels.copyWithin(at, at - width, at);
        continue;
      }
      line.fill(0);
      for (let row = rows.from[y]; row < rows.end[y]; row++) data.addRow(row, columns, line);
      for (let x = 0; x < width; x++) {
        const level = levels[line[x]];
        if (level >= 0) pixels[at + x] = colours.pixels[level];
      }
    }
    context.putImageData(image, Math.round(this.left * ratio), Math.round(this.top * ratio));
  }

  /* On each axis the tokens, where there is room for every one, else positions at round distances. */
  drawRulers(context) {
    const { data, across, down, ratio, left, top } = this, style = getComputedStyle(document.documentElement);
    const wide = across.length / ratio, bottom = top + down.length / ratio, { named } = this;
    const middle = (axis, cell) => axis.toPixel(cell + 0.5) / ratio;
    const every = (axis) => Array.from({ length: Math.ceil(axis.end - Math.floor(axis.start)) }, (_, i) => Math.floor(axis.start) + i);
    context.font = LABEL_FONT;
    context.fillStyle = style.getPropertyValue('--ink');
    context.strokeStyle = style.getPropertyValue('--faint');
    context.lineWidth = 1;
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    const tick = (x, y, dx, dy) => {
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + dx, y + dy);
      context.stroke();
    };
    const rows = data.rowTicks ?? (named.down ? every(down) : down.ticks(28 * ratio));
    for (const row of rows) {
      const y = top + middle(down, row);
      if (y < top || y > bottom) continue;
      context.fillText(data.rowTicks || named.down ? data.rowLabel(row) : data.rowPlace(row), left - 7, y);
      tick(left - 4, y, 4, 0);
    }
    for (const column of named.across ? every(across) : across.ticks(56 * ratio)) {
      const x = left + middle(across, column);
      if (x < left || x > left + wide) continue;
      tick(x, bottom, 0, 4);
      context.save();
      context.translate(x, bottom + (named.across ? 7 : 12));
      if (named.across) context.rotate(ROTATION);
      else context.textAlign = 'center';
      context.fillText(named.across ? data.columnLabel(column) : data.columnPlace(column), 0, 0);
      context.restore();
    }
    context.fillStyle = style.getPropertyValue('--faint');
    context.textAlign = 'right';
    const below = named.across ? this.height - 8 : bottom + 27;
    context.fillText(data.columnTitle, left + wide, below);
    context.translate(9, top);
    context.rotate(-Math.PI / 2);
    context.fillText(data.rowTitle, 0, 0);
  }

  /* Marks a row, a column (each solid when locked) and a cell; what is absent is not marked. What is marked stays in
     sight: the lines keep off thin rows. */
  mark(marked) {
    this.marked = marked;
    if (!this.data || !this.across) return;
    const { row, column, cell, locked } = marked, [rowBand, columnBand, spot] = this.marks, { ratio } = this;
    const put = (mark, box) => {
      mark.hidden = !box;
      if (!box) return;
      const width = Math.max(box.width, 3), height = Math.max(box.height, 3);
      mark.classList.toggle('soft', !locked);
      mark.style.transform = `translate(${box.x - (width - box.width) / 2 + 2}px, ${box.y - (height - box.height) / 2 + 2}px)`;
      mark.style.width = `${width + 2}px`;
      mark.style.height = `${height + 2}px`;
    };
    const wide = this.across.length / ratio, high = this.down.length / ratio;
    put(rowBand, row === undefined || row < 0 ? null : { ...this.rect(row, 0), x: 0, width: wide });
    put(columnBand, column === undefined || column < 0 ? null : { ...this.rect(0, column), y: 0, height: high });
    put(spot, cell ? this.rect(cell.row, cell.column) : null);
  }

  /* Brings a row or column into view, where it is not. */
  reveal({ row, column }) {
    if (!this.across) return;
    const moved = [row >= 0 && this.down.reveal(row), column >= 0 && this.across.reveal(column)];
    if (moved.includes(true)) this.draw();
  }

  /* ---- zooming ---- */

  /* At x and y, or in the middle. What is there stays in sight, where labels that come take its place too. */
  zoom(factor, x, y) {
    if (!this.across) return;
    const { across, down, ratio } = this, inside = (pixel, { length }) => Math.min(Math.max(pixel, 0), length - 1);
    const px = inside(x === undefined ? across.length / 2 : (x - this.left) * ratio, across), py = inside(y === undefined ? down.length / 2 : (y - this.top) * ratio, down);
    const cell = { row: down.toCell(py), column: across.toCell(px) };
    across.zoom(factor, px);
    if (this.options.high) down.zoom(factor, py);
    this.shift();
    this.reveal(cell);
  }

  pan(x, y) {
    this.across.pan(x * this.ratio);
    this.down.pan(y * this.ratio);
    this.shift();
  }

  whole() {
    this.draw(true);
  }

  get isWhole() {
    return !this.across || (this.across.isWhole && this.down.isWhole);
  }

  zoomToBox({ x, y, width, height }) {
    const { ratio, across, down, left, top } = this;
    const from = across.start + (x - left) * ratio / across.scale, to = across.start + (x + width - left) * ratio / across.scale;
    const above = down.start + (y - top) * ratio / down.scale, below = down.start + (y + height - top) * ratio / down.scale;
    across.showCells(from, to);
    if (this.options.high) down.showCells(above, below);
    this.shift();
  }
}
