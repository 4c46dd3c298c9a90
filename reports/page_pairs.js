// What changes on the way from one implementation to another, from the results' pairs.

const pairForm = document.getElementById('pair');
const pairLists = document.getElementById('pair-lists');
const unique = (values) => [...new Set(values)];

function fillPairChoices() {
  for (const side of ['from', 'to']) {
    const names = unique(results.pairs.map((pair) => pair[side]));
    pairForm.elements[side].replaceChildren(...names.map((name) => element('option', {}, name)));
  }
  pairForm.hidden = results.pairs.length === 0;
}

// Without a choice: the first pair there is; with one side chosen: the first pair that has it.
function chosenPair(state) {
  const fits = (pair) => (!state.from || pair.from === state.from) && (!state.to || pair.to === state.to);
  const first = results.pairs.find(fits) ?? results.pairs[0];
  return { from: state.from || first?.from || '', to: state.to || first?.to || '' };
}

function showPair(state) {
  const { from, to } = chosenPair(state);
  pairForm.elements.from.value = from;
  pairForm.elements.to.value = to;
  const pair = results.pairs.find((entry) => entry.from === from && entry.to === to);
  pairLists.replaceChildren(...(pair ? pairParts(pair) : [noPair(from, to)]));
}

function noPair(from, to) {
  if (results.pairs.length === 0) return element('p', {}, 'These results compare no implementations.');
  const why = from === to ? 'Choose two different implementations.' : `${from} and ${to} were not compared.`;
  return element('p', {}, why);
}

function pairParts(pair) {
  return [
    pairSummary(pair),
    pairList('Same', '✓', `${pair.to} does what ${pair.from} does, given the same canonical arguments.`,
      pair.same.length, pair.same.length > 0 && scenarioFold(pair.same.map((name) => ({ scenario: name })))),
    pairList('Same once translated', '⇄', 'Write this, and they behave alike.',
      pair.translated.length, axisTable(pair.translated, 'What to write', adviceFor)),
    pairList('Cannot be matched', '≠', `No argument of ${pair.to} brings these together.`,
      pair.unmatched.length, axisTable(pair.unmatched, 'What it means', meaningOf)),
    pairList('Not comparable', '–', 'One of the two gave no answer to compare.',
      pair.not_comparable.length, pair.not_comparable.length > 0 && scenarioFold(pair.not_comparable)),
  ];
}

function pairSummary(pair) {
  const total = pair.same.length + pair.translated.length + pair.unmatched.length;
  return element('p', { class: 'pair-summary' },
    `From ${pair.from} to ${pair.to}: of ${plural(total, 'comparable scenario')}, ` +
    `same ${pair.same.length}, same once translated ${pair.translated.length}, ` +
    `cannot be matched ${pair.unmatched.length}.`);
}

function pairList(title, symbol, sentence, count, content) {
  const mark = element('span', { class: 'symbol', 'aria-hidden': 'true' }, symbol);
  return element('section', { class: 'pair-list' },
    element('h3', {}, mark, ` ${title} `, element('span', { class: 'muted number' }, String(count))),
    element('p', { class: 'small muted' }, count > 0 ? sentence : 'None.'),
    count > 0 && content);
}

function scenarioFold(entries) {
  const line = (entry) => {
    const note = entry.sentence ?? entry.reason;
    return element('li', {}, scenarioLink(entry.scenario), note ? ` ${note}` : '');
  };
  return element('details', {}, element('summary', {}, plural(entries.length, 'scenario')),
    element('ul', {}, entries.map(line)));
}

// One row per convention: a person acts on conventions, and many scenarios can show the same one.
function axisTable(entries, title, describe) {
  if (entries.length === 0) return null;
  const rows = [...byAxis(entries)].map(([axis, shown]) =>
    element('tr', {},
      element('th', { scope: 'row' }, axis ? axisLink(axis) : 'no registered convention'),
      element('td', {}, describe(axis, shown)),
      element('td', {}, scenarioFold(shown))));
  const table = element('table', {}, headRow('Convention', title, 'Shown by'), element('tbody', {}, rows));
  return tableBox(title, table);
}

function byAxis(entries) {
  const groups = new Map();
  for (const entry of entries) {
    for (const axis of entry.axes.length > 0 ? entry.axes : ['']) {
      groups.set(axis, [...(groups.get(axis) ?? []), entry]);
    }
  }
  return new Map([...groups].sort(([, left], [, right]) => right.length - left.length));
}

// Advice is given in the order of the axes; where it is not one for one, all of it is shown.
function adviceFor(axis, entries) {
  const advice = entries.flatMap((entry) =>
    entry.advice.length === entry.axes.length ? [entry.advice[entry.axes.indexOf(axis)]] : entry.advice);
  const lines = unique(advice).filter(Boolean);
  return (lines.length > 0 ? lines : [meaningOf(axis)]).map((line) => element('div', {}, line));
}

function meaningOf(axis) {
  return conventions.get(axis)?.meaning ?? 'They differ in a way that no convention on record names.';
}
