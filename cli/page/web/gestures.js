/* Moves and zooms a map by pointer, wheel, fingers and keys. */

const WHEEL = 0.0016, LINE = 20, STEP = 1.5;

Object.assign(PixelMap.prototype, {
  listen() {
    const { canvas } = this;
    this.pointers = new Map();
    canvas.addEventListener('pointerdown', (event) => this.down_(event));
    canvas.addEventListener('pointermove', (event) => this.move_(event));
    canvas.addEventListener('pointerup', (event) => this.up_(event));
    canvas.addEventListener('pointercancel', () => this.endDrag());
    canvas.addEventListener('pointerleave', () => this.pointers.size || this.on.leave());
    canvas.addEventListener('blur', () => this.on.leave());
    canvas.addEventListener('wheel', (event) => this.wheel_(event), { passive: false });
    canvas.addEventListener('keydown', (event) => this.key_(event));
  },

  place_(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  },

  /* The box that the tooltip must not cover: the cells beside the pointer too. */
  around(x, y) {
    const { left, top } = this.canvas.getBoundingClientRect(), { ratio, across, down } = this;
    const wide = Math.max(1.5 * across.scale / ratio, 28), high = Math.max(1.5 * down.scale / ratio, 28);
    return { left: left + x - wide, right: left + x + wide, top: top + y - high, bottom: top + y + high };
  },

  hover_(x, y) {
    const cell = this.cellAt(x, y);
    if (cell) this.on.hover(cell.row, cell.column, this.around(x, y));
    else this.on.leave();
  },

  down_(event) {
    if (event.button > 1 || !this.across) return;
    this.pointers.set(event.pointerId, this.place_(event));
    this.pinched = this.pointers.size > 1;
    this.drag = this.pinched ? null : { from: this.place_(event), pan: event.shiftKey || event.button === 1 || event.pointerType === 'touch', on: false };
  },

  move_(event) {
    const now = this.place_(event), before = this.pointers.get(event.pointerId);
    if (!before) {
      this.hover_(now.x, now.y);
      return;
    }
    if (this.pinched) this.pinch(event.pointerId, now);
    else this.dragTo(now, before, event);
    this.pointers.set(event.pointerId, now);
  },

  dragTo(now, before, event) {
    const { drag } = this;
    if (!drag) return;
    if (!drag.on) {
      if (Math.hypot(now.x - drag.from.x, now.y - drag.from.y) < STILL) return;
      drag.on = true;
      this.canvas.setPointerCapture(event.pointerId);
      this.on.leave();
    }
    if (drag.pan) this.pan(drag.last ? drag.last.x - now.x : drag.from.x - now.x, drag.last ? drag.last.y - now.y : drag.from.y - now.y);
    else this.showBox(this.boxTo(now));
    drag.last = now;
  },

  /* Two fingers: what was under them stays under them. */
  pinch(moving, now) {
    const [other] = [...this.pointers].filter(([id]) => id !== moving), before = this.pointers.get(moving);
    if (!other) return;
    const [, still] = other, apart = (one) => Math.max(Math.hypot(one.x - still.x, one.y - still.y), 1);
    this.zoom(apart(now) / apart(before), (now.x + still.x) / 2, (now.y + still.y) / 2);
    this.pan((before.x - now.x) / 2, (before.y - now.y) / 2);
  },

  boxTo(now) {
    const { from } = this.drag, right = this.left + this.across.length / this.ratio, bottom = this.top + this.down.length / this.ratio;
    const inside = ({ x, y }) => ({ x: Math.min(Math.max(x, this.left), right), y: Math.min(Math.max(y, this.top), bottom) });
    const a = inside(from), b = inside(now), high = this.options.high;
    return {
      x: Math.min(a.x, b.x), width: Math.abs(a.x - b.x),
      y: high ? Math.min(a.y, b.y) : this.top, height: high ? Math.abs(a.y - b.y) : bottom - this.top,
    };
  },

  showBox(box) {
    this.chosen.hidden = false;
    Object.assign(this.chosen.style, { left: `${box.x}px`, top: `${box.y}px`, width: `${box.width}px`, height: `${box.height}px` });
  },

  endDrag() {
    this.pointers.clear();
    this.chosen.hidden = true;
    this.drag = null;
    this.pinched = false;
  },

  up_(event) {
    const { drag } = this, now = this.place_(event), held = this.pointers.has(event.pointerId);
    const box = drag && drag.on && !drag.pan ? this.boxTo(now) : null;
    this.endDrag();
    if (box && box.width > STILL && box.height > STILL) this.zoomToBox(box);
    if (!held || !drag || drag.on) return;
    const cell = this.cellAt(now.x, now.y);
    if (cell) this.on.click(cell.row, cell.column);
  },

  wheel_(event) {
    if (!this.across) return;
    const lines = event.deltaMode ? LINE : 1, { x, y } = this.place_(event);
    if (event.shiftKey) this.pan((event.deltaX || event.deltaY) * lines, 0);
    else this.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 6 : 1) * WHEEL), x, y);
    this.hover_(x, y);
    event.preventDefault();
  },

  /* The arrows move a cell, with shift the view; space and enter lock. */
  key_(event) {
    if (!this.data || event.ctrlKey || event.altKey || event.metaKey) return;
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const place = state.cell ?? { row: this.data.nRows - 1, column: 0 };
    if (step && event.shiftKey) this.pan(step[1] * this.across.length / this.ratio / 4, step[0] * this.down.length / this.ratio / 4);
    else if (step) this.step_(place, step);
    else if (event.key === ' ' || event.key === 'Enter') this.on.click(place.row, place.column);
    else return;
    event.preventDefault();
    event.stopPropagation();
  },

  step_(place, step) {
    const row = Math.min(Math.max(place.row + (state.cell ? step[0] : 0), 0), this.data.nRows - 1);
    const column = Math.min(Math.max(place.column + (state.cell ? step[1] : 0), 0), this.data.nColumns - 1);
    this.reveal({ row, column });
    const box = this.rect(row, column);
    this.on.hover(row, column, this.around(this.left + box.x + box.width / 2, this.top + box.y + box.height / 2));
    say(this.data.words(row, column));
  },
});
