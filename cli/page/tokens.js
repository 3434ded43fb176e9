/* A prompt as text, each token a button. */
class TokenText {
  /* on: { hover(position, x, y), leave(), click(position) } */
  constructor(box, on) {
    this.box = box;
    this.on = on;
    this.buttons = [];
    this.prompt = null;
    const positionOf = (event) => {
      const button = event.target.closest('.token');
      return button ? Number(button.dataset.position) : null;
    };
    box.addEventListener('pointermove', (event) => {
      const position = positionOf(event);
      if (position === null) on.leave();
      else on.hover(position, event.clientX, event.clientY);
    });
    box.addEventListener('pointerleave', () => on.leave());
    box.addEventListener('click', (event) => {
      const position = positionOf(event);
      if (position !== null) on.click(position);
    });
    box.addEventListener('focusin', (event) => {
      const position = positionOf(event);
      if (position === null || !event.target.matches(':focus-visible')) return;
      const { left, bottom } = event.target.getBoundingClientRect();
      on.hover(position, left, bottom);
    });
    box.addEventListener('focusout', () => on.leave());
  }

  fill(shown) {
    if (this.prompt === shown) return;
    this.prompt = shown;
    this.buttons = shown.tokens.map((text, position) => {
      const button = element('button', { className: 'token', tabIndex: -1, 'aria-pressed': 'false' });
      button.dataset.position = position;
      button.setAttribute('aria-label', `${position} ${tokenText(position, shown)}`);
      for (const part of text.split(/(\n)/)) {
        if (part === '\n') button.append(element('i', {}, '\u21b5'), '\n');
        else if (part) button.append(part);
      }
      if (!text) button.append(element('i', {}, '\u2205'));
      button.classList.toggle('absent', !shown.rowOf.has(position));
      return button;
    });
    this.box.classList.toggle('long', shown.tokens.length > 160);
    this.box.replaceChildren(...this.buttons);
  }

  /* level(position): 0 to 255, or -1 for no colour. */
  paint(colours, levelOf, near) {
    const focus = focusToken();
    this.buttons.forEach((button, position) => {
      const at = levelOf(position);
      button.style.backgroundColor = at < 0 ? 'transparent' : colours.styles[at];
      button.style.color = at < 0 ? '' : colours.inks[at];
      button.classList.toggle('focus', position === focus && state.lockedToken === null);
      button.classList.toggle('locked', position === state.lockedToken);
      button.classList.toggle('near', position === near);
      button.setAttribute('aria-pressed', position === state.lockedToken);
      button.tabIndex = position === focus ? 0 : -1;
    });
  }

  /* Moves the keyboard's place along with the focus, if it is in this text. */
  follow() {
    const button = this.buttons[focusToken()];
    if (!button) return;
    if (this.box.contains(document.activeElement)) button.focus();
    button.scrollIntoView({ block: 'nearest' });
  }
}
