// The filters: which scenarios and implementations are shown, in the matrix and in agreement.

const filterForm = document.getElementById('filters');
const disagreeing = new Set(
  results.agreement
    .filter((entry) => entry.groups.filter((group) => group.some((name) => name !== 'paper')).length > 1)
    .map((entry) => entry.scenario),
);
const searched = new Map(
  results.scenarios.map((scenario) => {
    const words = [scenario.name, scenario.suite, scenario.question, scenario.settles, scenario.clauses];
    return [scenario.name, words.flat().join(' ').toLowerCase()];
  }),
);
const verdictsOf = new Map(results.scenarios.map((scenario) => [scenario.name, []]));
for (const cell of results.cells) verdictsOf.get(cell.scenario).push(cell);

function passes(scenario, state) {
  const words = state.text.toLowerCase().split(/\s+/);
  const hasVerdict = (cell) =>
    cell.verdict === state.verdict && (!state.implementation || cell.implementation === state.implementation);
  return (
    (!state.suite || scenario.suite === state.suite) &&
    (!state.disagreements || disagreeing.has(scenario.name)) &&
    (!state.verdict || verdictsOf.get(scenario.name).some(hasVerdict)) &&
    words.every((word) => searched.get(scenario.name).includes(word))
  );
}

function isOpen(suite, state) {
  const narrowed = state.text || state.suite || state.verdict || state.disagreements;
  if (state.open === '') return Boolean(narrowed);
  return state.open === 'all' || state.open.split(',').includes(suite);
}

function openSuites(state) {
  return suiteBodies.map((body) => body.dataset.suite).filter((suite) => isOpen(suite, state));
}

const suiteBodies = select('#matrix tbody');

function showFilters(state) {
  for (const name of FILTERS) {
    const field = filterForm.elements[name];
    if (field.type === 'checkbox') field.checked = Boolean(state[name]);
    else if (field.value !== state[name]) field.value = state[name];
  }
  const shown = new Set(
    results.scenarios.filter((scenario) => passes(scenario, state)).map((scenario) => scenario.name),
  );
  for (const body of suiteBodies) showSuite(body, shown, isOpen(body.dataset.suite, state));
  for (const body of select('#agreement tbody')) showStanding(body, shown);
  for (const place of select('#matrix [data-implementation]')) {
    place.hidden = Boolean(state.implementation) && place.dataset.implementation !== state.implementation;
  }
  const total = results.scenarios.length;
  document.getElementById('shown').value =
    shown.size === total ? plural(total, 'scenario') : `${shown.size} of ${plural(total, 'scenario')}`;
  document.querySelector('#matrix .nothing').hidden = shown.size > 0;
}

function showSuite(body, shown, open) {
  const rows = select('tr.scenario', body);
  const passing = rows.filter((row) => shown.has(row.dataset.scenario));
  body.hidden = passing.length === 0;
  for (const row of rows) row.hidden = !open || !shown.has(row.dataset.scenario);
  body.querySelector('.fold').setAttribute('aria-expanded', String(open));
  body.querySelector('.scenario-count').textContent = plural(passing.length, 'scenario');
  for (const cell of select('tr.suite td', body)) showTally(cell, passing);
}

// A suite's cell counts the verdicts of the scenarios that are shown, not of all there are.
function showTally(cell, rows) {
  const name = CSS.escape(cell.dataset.implementation);
  const answers = rows.map((row) => row.querySelector(`td[data-implementation="${name}"]`));
  for (const item of select('li', cell)) {
    const count = answers.filter((answer) => answer.dataset.verdict === item.dataset.verdict).length;
    item.hidden = count === 0;
    item.querySelector('b').textContent = count;
  }
}

function showStanding(body, shown) {
  const rows = select('tr.scenario', body);
  for (const row of rows) row.hidden = !shown.has(row.dataset.scenario);
  const count = rows.filter((row) => !row.hidden).length;
  body.hidden = count === 0;
  body.querySelector('.scenario-count').textContent = count;
}
