/* A prompt as text, each token a button. Long prompts are divided into runs, of which the browser lays out, and this
   paints, only those in sight. */

const RUN = 128, RUN_FROM = 400;

/* The box of an element that the tooltip must not cover: its line. */
function lineBox(target) {
  const { left, right, top, bottom } = [...target.getClientRects()].pop() ?? target.getBoundingClientRect();
  return { left, right, top: top - 2, bottom: bottom + 2, line: true };
}

class TokenText {
  /* on: { hover(position, box), leave(), click(position) } */
  constructor(box, on) {
    Object.assign(this, { box, on, buttons: [], runs: [], prompt: null });
    this.watcher = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const run = this.runs[Number(target.dataset.run)];
        if (!run || run.box !== target) continue;
        run.seen = isIntersecting;
        if (run.seen) this.paintRun(run);
      }
    }, { root: box, rootMargin: '60px' });
    this.listen();
  }

  listen() {
    const { box, on } = this, positionOf = (event) => {
      const button = event.target.closest('.token');
      return button ? Number(button.dataset.position) : null;
    };
    box.addEventListener('pointermove', (event) => {
      const position = positionOf(event);
      if (position === null) on.leave();
      else on.hover(position, lineBox(event.target.closest('.token')));
    });
    box.addEventListener('pointerleave', () => on.leave());
    box.addEventListener('click', (event) => {
      const position = positionOf(event);
      if (position !== null) on.click(position);
    });
    box.addEventListener('focusin', (event) => {
      const position = positionOf(event);
      if (position !== null && event.target.matches(':focus-visible')) on.hover(position, lineBox(event.target));
    });
    box.addEventListener('focusout', () => on.leave());
  }

  fill(shown) {
    if (this.prompt === shown) return;
    this.prompt = shown;
    this.painted = [];
    this.watcher.disconnect();
    this.buttons = shown.tokens.map((text, position) => this.button(text, position));
    const long = this.buttons.length > RUN_FROM;
    this.box.classList.toggle('long', this.buttons.length > 160);
    this.runs = long ? this.cut() : [{ first: 0, end: this.buttons.length, seen: true }];
    this.box.replaceChildren(...(long ? this.runs.map((run) => run.box) : this.buttons));
  }

  button(text, position) {
    const button = element('span', { className: 'token', role: 'button', tabIndex: -1 });
    button.dataset.position = position;
    if (text.includes('\n')) {
      for (const part of text.split(/(\n)/)) {
        if (part === '\n') button.append(element('i', {}, '\u21b5'), '\n');
        else if (part) button.append(part);
      }
    } else if (text) button.textContent = text;
    else button.append(element('i', {}, '\u2205'));
    if (!this.prompt.rowOf.has(position)) button.classList.add('absent');
    return button;
  }

  /* Runs of tokens, each with the position that it begins at in the margin. */
  cut() {
    const runs = [];
    for (let first = 0; first < this.buttons.length; first += RUN) {
      const end = Math.min(first + RUN, this.buttons.length), box = element('div', { className: 'run' }, ...this.buttons.slice(first, end));
      box.dataset.first = first;
      box.dataset.run = runs.length;
      runs.push({ first, end, seen: false, box });
      this.watcher.observe(box);
    }
    return runs;
  }

  /* level(position): 0 to 255, or -1 for no colour. Only what is in sight and has changed is touched. */
  paint(colours, levelOf, near, hits) {
    this.look = { colours, levelOf, near, hits, focus: focusToken(), locked: state.lockedToken, theme: theme() };
    for (const run of this.runs) if (run.seen) this.paintRun(run);
  }

  paintRun(run) {
    for (let position = run.first; this.look && position < run.end; position++) this.paintToken(position);
  }

  paintToken(position) {
    const { colours, levelOf, near, hits, focus, locked, theme: ground } = this.look, button = this.buttons[position];
    const at = levelOf(position), look = position === locked ? 'locked' : position === focus ? 'focus' : '', hit = hits?.has(position) ?? false;
    const key = `${at} ${look} ${position === near} ${position === focus} ${hit} ${ground}`;
    if (this.painted[position] === key) return;
    if (this.painted[position] === undefined) button.setAttribute('aria-label', `${position} ${tokenText(position, this.prompt)}`);
    this.painted[position] = key;
    button.style.backgroundColor = at < 0 ? 'transparent' : colours.styles[at];
    button.style.color = at < 0 ? '' : colours.inks[at];
    for (const name of ['focus', 'locked']) button.classList.toggle(name, name === look);
    button.classList.toggle('near', position === near);
    button.classList.toggle('hit', hit);
    button.setAttribute('aria-pressed', position === locked);
    button.tabIndex = position === focus ? 0 : -1;
  }

  /* Scrolls until a token is in sight, if it is not; the page around stays where it is. */
  reveal(position) {
    const button = this.buttons[position];
    if (!button) return;
    const { top, bottom } = this.box.getBoundingClientRect();
    for (let again = 0; again < 3; again++) {             // runs that come into sight get their real height only then
      const at = button.getBoundingClientRect();
      if (at.top >= top + 4 && at.bottom <= bottom - 4) return;
      this.box.scrollTop += (at.top + at.bottom - top - bottom) / 2;
    }
  }

  /* Moves the keyboard's place along with the focus, if it is in this text. */
  follow() {
    const button = this.buttons[focusToken()];
    if (button && this.box.contains(document.activeElement)) button.focus({ preventScroll: true });
    this.reveal(focusToken());
  }
}
