// Start: the address says what to show; every choice writes the address and shows it again.

const overview = document.getElementById('overview');
const detail = document.getElementById('detail');
const overviewTitle = document.title;
let state = readAddress();
let drawn = null;
let overviewScroll = 0;

function show() {
  showFilters(state);
  showPair(state);
  if (!state.scenario) showOverview();
  else if (drawn !== `${state.scenario} ${state.at}`) showScenario();
}

function showOverview() {
  const left = drawn;
  drawn = null;
  detail.hidden = true;
  overview.hidden = false;
  document.title = overviewTitle;
  if (left === null) return;
  detail.replaceChildren();
  window.scrollTo(0, overviewScroll);
}

function showScenario() {
  if (drawn === null) overviewScroll = window.scrollY;
  drawn = `${state.scenario} ${state.at}`;
  overview.hidden = true;
  detail.hidden = false;
  drawScenario(detail, state.scenario, state.at);
  document.title = `${state.scenario}: ${overviewTitle}`;
  const answered = state.at && document.getElementById(`answer-${state.at}`);
  (answered || detail.querySelector('h1')).focus({ preventScroll: true });
  if (answered) answered.scrollIntoView();
  else window.scrollTo(0, 0);
}

function go(changes, replace = false) {
  state = { ...state, ...changes };
  writeAddress(state, replace);
  show();
}

function goTo(id) {
  if (state.scenario) go({ scenario: '', at: '' });
  const target = document.getElementById(id);
  if (!target) return;
  for (let fold = target.closest('details'); fold; fold = fold.parentElement.closest('details')) fold.open = true;
  target.scrollIntoView();
  if (!target.hasAttribute('tabindex')) target.setAttribute('tabindex', '-1');
  target.focus({ preventScroll: true });
}

// Links within the page keep the filters: they change only what they name.
function followLink(event) {
  const link = event.target.closest('a[href^="#"]');
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !plain) return;
  event.preventDefault();
  const query = new URLSearchParams(link.getAttribute('href').slice(1));
  if (link.hasAttribute('data-back')) go({ scenario: '', at: '' });
  else if (query.has('scenario')) go({ scenario: query.get('scenario'), at: query.get('at') ?? '' });
  else goTo(decodeURIComponent(link.getAttribute('href').slice(1)));
}

function followRow(event) {
  const row = event.target.closest('#matrix tr.scenario');
  if (!row || event.target.closest('a') || String(getSelection())) return;
  const at = event.target.closest('td')?.dataset.implementation ?? '';
  go({ scenario: row.dataset.scenario, at });
}

function fold(event) {
  const button = event.target.closest('.fold');
  if (!button) return;
  const { suite } = button.closest('tbody').dataset;
  const open = openSuites(state);
  const next = open.includes(suite) ? open.filter((name) => name !== suite) : [...open, suite];
  go({ open: next.join(',') || 'none' });
}

function filterChoices() {
  const fields = filterForm.elements;
  return Object.fromEntries(FILTERS.map((name) =>
    [name, fields[name].type === 'checkbox' ? (fields[name].checked ? '1' : '') : fields[name].value]));
}

// A value in the address that no choice offers (an older link) counts as no choice.
function sane(asked) {
  const kept = { ...asked };
  for (const name of ['suite', 'implementation', 'verdict']) {
    const offered = [...filterForm.elements[name].options].map((option) => option.value);
    if (!offered.includes(kept[name])) kept[name] = '';
  }
  for (const side of ['from', 'to']) {
    const offered = [...pairForm.elements[side].options].map((option) => option.value);
    if (!offered.includes(kept[side])) kept[side] = '';
  }
  return kept;
}

function showAddress() {
  state = sane(readAddress());
  show();
  const anchor = location.hash.slice(1);
  if (anchor && !anchor.includes('=')) goTo(decodeURIComponent(anchor));
}

document.addEventListener('click', followLink);
document.addEventListener('click', followRow);
document.addEventListener('click', fold);
filterForm.addEventListener('input', (event) => {
  if (event.target.name === 'text') go({ ...filterChoices(), open: '' }, true);
});
filterForm.addEventListener('change', ({ target: { name } }) => {
  if (name === 'text') return;
  const open = name === 'implementation' ? state.open : ''; // what a filter finds is shown unfolded
  go({ ...filterChoices(), open });
});
filterForm.addEventListener('submit', (event) => event.preventDefault());
filterForm.addEventListener('reset', (event) => {
  event.preventDefault();
  go({ ...Object.fromEntries(FILTERS.map((name) => [name, ''])), open: '' });
});
document.getElementById('expand').addEventListener('click', () => go({ open: 'all' }));
document.getElementById('collapse').addEventListener('click', () => go({ open: 'none' }));
pairForm.addEventListener('change', () => {
  go({ from: pairForm.elements.from.value, to: pairForm.elements.to.value });
});
pairForm.addEventListener('submit', (event) => event.preventDefault());
document.getElementById('swap').addEventListener('click', () => {
  go({ from: pairForm.elements.to.value, to: pairForm.elements.from.value });
});
window.addEventListener('popstate', showAddress);

fillPairChoices();
showAddress();
