/* Finds text in the prompt: hits are runs of tokens, from the one in which the text begins to that in which it ends. */

const find = { text: '', prompt: null, hits: [], at: -1, tokens: new Set() };

/* Where each token begins in the text of the prompt. */
function placesOf(of) {
  let at = 0;
  return of.tokens.map((token) => (at += token.length) - token.length);
}

const literal = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

/* The last token that begins at or before a place. */
function tokenAt(places, place) {
  let low = 0, high = places.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (places[middle] <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}

function findHits(text, of) {
  const number = /^#(\d+)$/.exec(text);
  if (number) return Number(number[1]) < of.tokens.length ? [{ first: Number(number[1]), last: Number(number[1]) }] : [];
  const places = placesOf(of), hits = [];
  if (!text) return hits;
  for (const match of of.tokens.join('').matchAll(new RegExp(literal(text), 'giu')))
    hits.push({ first: tokenAt(places, match.index), last: tokenAt(places, match.index + match[0].length - 1) });
  return hits;
}

function searchFor(text) {
  if (find.text === text && find.prompt === prompt()) return;
  Object.assign(find, { text, prompt: prompt(), hits: findHits(text, prompt()), at: -1 });
  find.tokens = new Set(find.hits.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i)));
  showCount();
  redrawAs('focus');
}

function showCount() {
  const n = find.hits.length;
  $('found').textContent = !find.text ? '' : !n ? 'none' : find.at < 0 ? `${n} found` : `${find.at + 1} of ${n}`;
  $('find').classList.toggle('missing', Boolean(find.text) && !n);
}

/* To the hit after, or before; the first from the focus on, if none was shown yet. */
function stepHit(step) {
  searchFor($('find').value);
  const n = find.hits.length;
  if (!n) return;
  if (find.at < 0) find.at = step > 0 ? Math.max(find.hits.findIndex(({ first }) => first >= (state.lockedToken ?? 0)), 0) : n - 1;
  else find.at = (find.at + step + n) % n;
  const { first } = find.hits[find.at];
  showCount();
  update({ lockedToken: first, hoverToken: null, cell: null, from: 'search' });
  requestAnimationFrame(() => textShown().reveal(first));
  say(`${$('found').textContent}: ${first} ${tokenText(first)}`);
}

function startSearch() {
  $('find').addEventListener('input', () => searchFor($('find').value));
  $('find').addEventListener('keydown', (event) => {
    if (event.key === 'Enter') stepHit(event.shiftKey ? -1 : 1);
    else if (event.key === 'Escape') $('find').blur();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  $('find-next').addEventListener('click', () => stepHit(1));
  $('find-before').addEventListener('click', () => stepHit(-1));
}
