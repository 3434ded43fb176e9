/* Predictions of the model: the most likely next tokens and the loss of each token, where they are stored. */

const LOSS_MOST = 10;                   // nats: where the colours of losses end
const idTexts = new Map();
for (const { ids, tokens, next } of contents.prompts) {
  ids.forEach((id, i) => idTexts.set(id, tokens[i]));
  for (const [id, text] of Object.entries(next?.texts ?? {})) idTexts.set(Number(id), text);
}

const hasNext = contents.prompts.some(({ next }) => next);

/* The predictions after a position: [{ id, text, logprob }], the likeliest first; [] where none are stored. */
function predictions(position, of = prompt()) {
  const { next } = of, row = of.rowOf.get(position);
  if (!next || row === undefined) return [];
  return Array.from({ length: next.k }, (_, i) => ({ id: next.ids[row * next.k + i], logprob: next.logprobs[row * next.k + i] }))
    .filter(({ logprob }) => logprob !== null).map((one) => ({ ...one, text: idTexts.get(one.id) }));
}

/* The loss of a token, in nats, from the predictions before it; where it is not among them, its loss is more than that
   of the last. null: not known. */
function lossOf(position, of = prompt()) {
  const listed = position > 0 ? predictions(position - 1, of) : [];
  if (!listed.length) return null;
  const own = listed.find(({ id }) => id === of.ids[position]);
  return { value: -(own ?? listed[listed.length - 1]).logprob, exact: Boolean(own) };
}

const lossText = ({ value, exact }) => `${exact ? '' : 'over '}${Math.abs(value).toPrecision(3)} nats`;
const probability = (logprob) => Number(Math.exp(logprob).toPrecision(3)).toString();
const predictedText = ({ id, text }) => (text === undefined ? `id ${id}` : `|${visible(text)}|`);

/* Lines of a tooltip about a token. */
function lossRows(position) {
  const loss = lossOf(position), [first] = predictions(position), rows = [];
  if (loss) rows.push(['loss', lossText(loss)]);
  if (first) rows.push(['next', element('span', {}, element('span', { className: 'token-name' }, predictedText(first)), ` ${probability(first.logprob)}`)]);
  return rows;
}

function lossLevel(position) {
  const loss = lossOf(position);
  return loss ? level(loss.value / LOSS_MOST) : -1;
}

function drawPredictions(focus) {
  const listed = predictions(focus), follows = prompt().ids[focus + 1], { loss } = prompt();
  $('next-part').hidden = !hasNext;
  if (!hasNext) return;
  $('next-title').textContent = `Expected after ${focus}`;
  const own = lossOf(focus);
  $('next-loss').textContent = [own && `Loss of token ${focus}: ${lossText(own)}`, loss !== undefined && `mean of the prompt ${loss.toPrecision(4)}`].filter(Boolean).join('; ');
  rankTable($('next'), listed.map((one) => ({
    name: predictedText(one), text: probability(one.logprob), part: Math.exp(one.logprob), mark: one.id === follows, title: `id ${one.id}, logprob ${one.logprob}`,
  })));
}
