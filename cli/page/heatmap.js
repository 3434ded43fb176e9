/* A matrix as a picture with labelled axes: drawn on a canvas, marked with elements on top, so that hovering draws nothing. */

const LABEL_FONT = '11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
const LABEL_PITCH = 13, LABEL_LETTERS = 12, ROTATION = -Math.PI / 3;

const cutText = (text, n = LABEL_LETTERS) => (text.length > n ? text.slice(0, n - 1) + '\u2026' : text);

class HeatMap {
  /* on: { hover(row, column, x, y), leave(), click(row, column) } */
  constructor(box, on) {
    this.box = box;
    this.on = on;
    this.data = null;
    this.canvas = element('canvas', { tabIndex: 0, role: 'application', 'aria-roledescription': 'heatmap' });
    this.marks = ['band', 'band', 'cell'].map((className) => element('div', { className, hidden: true }));
    box.append(this.canvas, ...this.marks);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(box);
  }

  listen() {
    this.canvas.addEventListener('pointermove', (event) => {
      const cell = this.cellAt(event.offsetX, event.offsetY);
      if (cell) this.on.hover(cell.row, cell.column, event.clientX, event.clientY);
      else this.on.leave();
    });
    this.canvas.addEventListener('pointerleave', () => this.on.leave());
    this.canvas.addEventListener('blur', () => this.on.leave());
    this.canvas.addEventListener('click', (event) => {
      const cell = this.cellAt(event.offsetX, event.offsetY);
      if (cell) this.on.click(cell.row, cell.column);
    });
    this.canvas.addEventListener('keydown', (event) => this.key(event));
  }

  /* The arrows move a cell, space and enter lock. */
  key(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const place = state.cell ?? { row: this.data.nRows - 1, column: 0 };
    if (step && !event.shiftKey) {
      const row = Math.min(Math.max(place.row + (state.cell ? step[0] : 0), 0), this.data.nRows - 1);
      const column = Math.min(Math.max(place.column + (state.cell ? step[1] : 0), 0), this.data.nColumns - 1);
      const { left, top } = this.canvas.getBoundingClientRect(), { x, y, width, height } = this.rect(row, column);
      this.on.hover(row, column, left + x + width, top + y + height);
      say(this.data.words(row, column));
    } else if (event.key === ' ' || event.key === 'Enter') this.on.click(place.row, place.column);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /* data: { nRows, nColumns, level(row, column), rowLabel(row), columnLabel(column), rowTitle, columnTitle, name, colours,
     square, words(row, column), rowTicks: the rows to label, where not as many as there is room for } */
  show(data) {
    this.data = data;
    this.canvas.setAttribute('aria-label', data.name);
    this.draw();
  }

  place() {
    const { nRows, nColumns, square } = this.data;
    const width = this.box.clientWidth, height = this.box.clientHeight;
    const left = this.margin(nRows, this.data.rowLabel) + 22, bottom = this.margin(nColumns, this.data.columnLabel) * 0.87 + 24;
    let cellWidth = Math.max((width - left - 8) / nColumns, 0.2), cellHeight = Math.max((height - bottom - 8) / nRows, 0.2);
    if (square) cellWidth = cellHeight = Math.min(cellWidth, cellHeight, 34);
    else cellHeight = Math.min(cellHeight, 34);
    Object.assign(this, { left, top: 6, cellWidth, cellHeight, width, height });
  }

  /* The longest label of an axis. */
  margin(n, label) {
    let letters = 1;
    for (let i = 0; i < n; i++) letters = Math.max(letters, Math.min(label(i).length, LABEL_LETTERS + 5));
    return letters * 6.7;
  }

  rect(row, column) {
    return {
      x: this.left + column * this.cellWidth, y: this.top + row * this.cellHeight, width: this.cellWidth, height: this.cellHeight,
    };
  }

  cellAt(x, y) {
    if (!this.data) return null;
    const column = Math.floor((x - this.left) / this.cellWidth), row = Math.floor((y - this.top) / this.cellHeight);
    return column >= 0 && row >= 0 && column < this.data.nColumns && row < this.data.nRows ? { row, column } : null;
  }

  draw() {
    if (!this.data || !this.box.clientWidth) return;
    this.place();
    const ratio = devicePixelRatio || 1, canvas = this.canvas;
    canvas.width = Math.round(this.width * ratio);
    canvas.height = Math.round(this.height * ratio);
    canvas.style.width = `${this.width}px`;
    canvas.style.height = `${this.height}px`;
    const context = canvas.getContext('2d');
    context.scale(ratio, ratio);
    this.drawCells(context);
    this.drawLabels(context);
    this.mark(this.marked ?? {});
  }

  drawCells(context) {
    const { nRows, nColumns, level: levelOf, colours } = this.data;
    const image = new ImageData(nColumns, nRows), pixels = new Uint32Array(image.data.buffer);
    for (let row = 0; row < nRows; row++)
      for (let column = 0; column < nColumns; column++) {
        const at = levelOf(row, column);
        if (at >= 0) pixels[row * nColumns + column] = colours.pixels[at];
      }
    const small = element('canvas', { width: nColumns, height: nRows });
    small.getContext('2d').putImageData(image, 0, 0);
    context.imageSmoothingEnabled = this.cellWidth < 1 || this.cellHeight < 1;
    context.drawImage(small, this.left, this.top, nColumns * this.cellWidth, nRows * this.cellHeight);
  }

  drawLabels(context) {
    const { nRows, nColumns, rowLabel, columnLabel, rowTitle, columnTitle, rowTicks } = this.data;
    const style = getComputedStyle(document.documentElement), bottom = this.top + nRows * this.cellHeight;
    context.font = LABEL_FONT;
    context.fillStyle = style.getPropertyValue('--ink');
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    const rowStep = Math.ceil(LABEL_PITCH / this.cellHeight), columnStep = Math.ceil(LABEL_PITCH / this.cellWidth);
    for (const row of rowTicks ?? Array.from({ length: Math.ceil(nRows / rowStep) }, (_, i) => i * rowStep))
      context.fillText(rowLabel(row), this.left - 5, this.top + (row + 0.5) * this.cellHeight);
    for (let column = 0; column < nColumns; column += columnStep) {
      context.save();
      context.translate(this.left + (column + 0.5) * this.cellWidth, bottom + 7);
      context.rotate(ROTATION);
      context.fillText(columnLabel(column), 0, 0);
      context.restore();
    }
    context.fillStyle = style.getPropertyValue('--faint');
    context.textAlign = 'left';
    context.fillText(columnTitle, this.left + nColumns * this.cellWidth - context.measureText(columnTitle).width, this.height - 8);
    context.translate(9, this.top);
    context.rotate(-Math.PI / 2);
    context.textAlign = 'right';
    context.fillText(rowTitle, 0, 0);
  }

  /* Marks a row, a column (each solid when locked) and a cell; what is absent is not marked. */
  mark(marked) {
    this.marked = marked;
    if (!this.data || !this.width) return;
    const { row, column, cell, locked } = marked, [rowBand, columnBand, spot] = this.marks;
    const wide = this.data.nColumns * this.cellWidth, high = this.data.nRows * this.cellHeight;
    const put = (mark, box) => {
      mark.hidden = !box;
      if (!box) return;
      mark.classList.toggle('soft', !locked);
      mark.style.transform = `translate(${box.x - 1}px, ${box.y - 1}px)`;
      mark.style.width = `${box.width + 2}px`;
      mark.style.height = `${box.height + 2}px`;
    };
    put(rowBand, row === undefined || row < 0 ? null : { ...this.rect(row, 0), width: wide });
    put(columnBand, column === undefined || column < 0 ? null : { ...this.rect(0, column), height: high });
    put(spot, cell ? this.rect(cell.row, cell.column) : null);
  }
}
