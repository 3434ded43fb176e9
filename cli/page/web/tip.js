/* The tooltip: beside what it explains, never over it. */

/* rows: [name, text or element, class?]; box: what must stay in sight, of a line of text everything on it. */
function showTip(rows, box) {
  const list = element('dl');
  for (const [name, value, className] of rows)
    list.append(element('dt', {}, name), element('dd', { className: className ?? '' }, value));
  const tip = $('tip');
  tip.replaceChildren(list);
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect(), { x, y } = tipPlace(box, width, height);
  tip.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
}

/* Of a line: below it, else above. Of a cell: up and to the right, where patterns are empty; else another side. */
function tipPlace(box, width, height) {
  const inX = (x) => Math.max(4, Math.min(x, innerWidth - width - 4)), inY = (y) => Math.max(4, Math.min(y, innerHeight - height - 4));
  const below = { x: inX(box.left), y: box.bottom + 6 }, above = { x: inX(box.left), y: box.top - height - 6 };
  const right = { x: box.right, y: inY(box.top - height) }, left = { x: box.left - width, y: inY(box.top - height) };
  const fits = ({ x, y }) => x >= 0 && y >= 0 && x + width <= innerWidth && y + height <= innerHeight;
  return (box.line ? [below, above] : [right, left, above, below]).find(fits) ?? { x: inX(box.right), y: inY(box.bottom) };
}

function hideTip() {
  $('tip').hidden = true;
}
