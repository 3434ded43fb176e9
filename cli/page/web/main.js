/* Puts it together: the head of the page, its tabs, its start. */

const TABS = { attention: nHeads > 0, neurons: units.length > 0, residual: contents.norms.length > 0, patches: grids.length > 0 };

function toTab(name) {
  if (!TABS[name]) return;
  hideTip();
  update({ tab: name, hoverToken: null, cell: null });
}

function promptWords(of) {
  const text = visible(of.tokens.slice(0, 24).join('')).trim();
  return `${of.index}: ${cutText(text, 48)} (${of.tokens.length})`;
}

function drawHead(what) {
  if (what !== 'page') return;
  for (const name of Object.keys(TABS)) {
    const tab = $(`tab-${name}`);
    tab.setAttribute('aria-selected', name === state.tab);
    tab.tabIndex = name === state.tab ? 0 : -1;
    $(name).hidden = name !== state.tab;
  }
  for (const part of document.querySelectorAll('.search, .prompt')) part.hidden = state.tab === 'patches';      // grids are of all prompts
  $('prompt').value = state.prompt;
  showTheme();
}

function listenTabs() {
  $('tabs').addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    toTab(choose(Object.keys(TABS).filter((name) => TABS[name]), state.tab, step));
    requestAnimationFrame(() => $(`tab-${state.tab}`).focus());
    event.preventDefault();
  });
  for (const [name, present] of Object.entries(TABS)) {
    const tab = $(`tab-${name}`);
    tab.disabled = !present;
    if (!present) tab.title = 'The page has none of these';
    tab.addEventListener('click', () => toTab(name));
  }
}

function fillHead() {
  const { model, family, created, command, dtype, weir, n_prompts: of, top_units: top } = contents;
  document.title = `${model}: weir`;
  $('model').textContent = `${model} (${family})`;
  $('model').title = `${model}, ${created}`;
  $('prompt').append(...contents.prompts.map((one, i) => element('option', { value: i }, promptWords(one))));
  $('prompt').disabled = contents.prompts.length < 2;
  $('prompt').addEventListener('change', (event) => toPrompt(Number(event.target.value)));
  $('theme').addEventListener('click', ACTIONS.t);
  $('help').addEventListener('click', ACTIONS['?']);
  $('about').textContent = `${contents.prompts.length} of ${of} prompts of a file of ${dtype}, written ${created} by: ${command}. ` +
    'Weights are shown as they are stored, rounded to four digits; those of several heads to three; other values with all their digits. ' +
    (top ? 'The neurons are those with the largest values past the first token. ' : '') + `weir ${weir}.`;
}

/* After a choice with the pointer the keys are the page's again. */
function listenSelects() {
  document.addEventListener('change', ({ target }) => {
    if (target.matches('select, input') && !target.matches(':focus-visible')) target.blur();
  });
}

function start() {
  listenKeys();
  fillHead();
  listenTabs();
  listenSelects();
  startSearch();
  drawers.push(drawHead);
  if (TABS.attention) startAttention();
  if (TABS.neurons) startNeurons();
  if (TABS.residual) startResidual();
  if (TABS.patches) startPatches();
  systemDark.addEventListener('change', () => {
    if (state.theme !== 'auto') return;
    stale = Math.max(stale, ORDER.indexOf('page'));
    requestAnimationFrame(redraw);
  });
  toTab(Object.keys(TABS).find((name) => TABS[name]));
}

start();
