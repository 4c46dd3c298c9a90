// One scenario in full: what was asked, what each implementation answered, who behaves alike.

function drawScenario(place, name, at) {
  const scenario = scenarios.get(name);
  place.replaceChildren(backLink(), ...(scenario ? scenarioParts(scenario, at) : unknownScenario(name)));
}

function backLink() {
  return element('p', { class: 'back' }, element('a', { href: '#', 'data-back': true }, '← All scenarios'));
}

function unknownScenario(name) {
  return [
    element('h1', { tabindex: '-1' }, 'No such scenario'),
    element('p', { class: 'lead' }, `There is no scenario called “${name}” in these results.`),
  ];
}

function scenarioParts(scenario, at) {
  const cells = verdictsOf.get(scenario.name);
  const agreement = results.agreement.find((entry) => entry.scenario === scenario.name);
  return [
    element('h1', { tabindex: '-1', class: 'scenario-name' }, scenario.name),
    element('p', { class: 'lead' }, scenario.question),
    scenarioFacts(scenario),
    program(scenario),
    element('h2', {}, 'Who behaves alike'),
    agreement ? alike(agreement) : element('p', {}, 'Agreement was not worked out for this scenario.'),
    element('h2', {}, 'Answers'),
    cells.map((cell) => answer(cell, at)),
  ].flat();
}

function scenarioFacts(scenario) {
  const facts = [
    ['Suite', [scenario.suite]],
    ['Settles', scenario.settles.map(axisWithMeaning)],
    ['Clauses', [scenario.clauses.join(', ')]],
    ['Sources', scenario.sources.map(addressLink)],
  ].filter(([, entries]) => entries.length > 0 && entries[0] !== '');
  const lines = (entries) => entries.map((entry) => element('div', {}, entry));
  const pair = ([term, entries]) => element('div', {}, element('dt', {}, term), element('dd', {}, lines(entries)));
  return element('dl', { class: 'facts' }, facts.map(pair));
}

function axisWithMeaning(axis) {
  return element('span', {}, axisLink(axis), ` ${conventions.get(axis)?.meaning ?? ''}`);
}

function program(scenario) {
  const items = (lines) => lines.map((line) => element('li', {}, line));
  return element(
    'div', { class: 'program' },
    element('section', {}, element('h2', {}, 'Layer'), element('ul', {}, items(scenario.layer))),
    element('section', {}, element('h2', {}, 'Steps'), element('ol', {}, items(scenario.steps.map(unnumbered)))),
  );
}

// The list numbers the steps; a number that is also in the words would be read twice.
function unnumbered(step) {
  return step.replace(/^\d+\.\s+/, '');
}

function alike(agreement) {
  const boxes = agreement.groups.map((group, index) =>
    element('span', {}, index > 0 && against(), groupBox(group, agreement.odd_one_out)));
  const apart = agreement.separated_by.map((separation) =>
    element('li', {}, separation.axes.map((axis) => [axisLink(axis), ' ']), separation.sentence));
  const absent = Object.entries(agreement.absent).map(([name, reason]) =>
    element('p', { class: 'small muted' }, `${name} is not compared: ${reason}`));
  return [
    element('div', { class: 'groups' }, boxes),
    apart.length > 0 && element('ul', { class: 'apart' }, apart),
    ...absent,
  ].filter(Boolean);
}

function against() {
  return element('span', { class: 'against' },
    element('span', { 'aria-hidden': 'true' }, '≠'), element('span', { class: 'unseen' }, ' differs from '));
}

function groupBox(group, odd) {
  const members = group.map((name) =>
    [element('span', { class: name === 'paper' ? 'member paper' : 'member' }, name), ' ']);
  const alone = group.length === 1 && group[0] === odd;
  return element('span', { class: 'group' }, members, alone && element('span', { class: 'tag' }, 'odd one out'));
}

function answer(cell, at) {
  const open = at ? cell.implementation === at : cell.verdict !== 'conforms' && cell.steps.length > 0;
  const { tone } = verdicts[cell.verdict];
  return element(
    'section', { class: `answer ${tone}`, id: `answer-${cell.implementation}`, tabindex: '-1' },
    element('h3', {}, cell.implementation, ' ', verdictMark(cell.verdict), ' ', flag(cell)),
    cell.answers.length > 0 && answersLine(cell.answers),
    element('p', {}, cell.reason),
    cell.known && knownNote(cell.known),
    cell.explanations.length > 0 && explanations(cell.explanations),
    unnamedNotes(cell),
    cell.steps.length > 0 ? stepsFold(cell, open) : element('p', { class: 'small muted' }, 'Nothing was observed.'),
  );
}

// What a reader came for: the value this implementation has on what the scenario asks about.
function answersLine(answers) {
  const line = (entry) => element('div', {}, axisLink(entry.axis), ': ', element('b', {}, valueText(entry.value)));
  return element('div', { class: 'settled' }, answers.map(line));
}

function flag(cell) {
  if (!cell.expected) return unexpectedTag();
  return cell.known ? element('span', { class: 'tag' }, 'known') : '';
}

function unexpectedTag() {
  return element('span', { class: 'tag unexpected' }, 'unexpected');
}

function knownNote(known) {
  const link = known.link && addressLink(known.link);
  return element('p', { class: 'small' }, element('b', {}, 'Known: '), known.note ?? '', ' ', link ?? '');
}

function explanations(entries) {
  const change = (entry) =>
    element('li', {}, entry.sentence, ' ', axisLink(entry.axis));
  const title = entries.length === 1 ? 'One change would explain it' : 'Any one of these changes would explain it';
  return element('div', { class: 'explanations' }, element('b', {}, title), element('ul', {}, entries.map(change)));
}

// What no combination of conventions explains, with the one that comes closest.
function unnamedNotes(cell) {
  const found = unnamed.filter((entry) =>
    entry.implementation === cell.implementation && entry.scenario === cell.scenario);
  if (found.length === 0) return null;
  const note = (entry) =>
    element('li', {}, entry.sentence, ' ', !entry.expected && unexpectedTag(), closestFit(entry));
  return element('div', { class: 'explanations unnamed' },
    element('b', {}, found.length === 1 ? 'A behaviour without a name' : 'Behaviours without a name'), element('ul', {}, found.map(note)));
}

function closestFit(entry) {
  if (entry.closest.length === 0) return null;
  const line = ({ axis, value }) => element('li', {}, axisLink(axis), ': ', element('b', {}, value));
  return element('details', {},
    element('summary', {}, `the closest fit: ${plural(entry.closest.length, 'convention')} (${entry.context})`),
    element('ul', {}, entry.closest.map(line)));
}

// The table is drawn when it is first opened: most readers open one of many.
function stepsFold(cell, open) {
  const title = `${plural(cell.steps.length, 'step')} measured`;
  const fold = element('details', {}, element('summary', {}, title));
  const draw = () => {
    if (fold.open && fold.children.length === 1) fold.append(stepsTable(cell));
  };
  fold.open = open;
  draw();
  fold.addEventListener('toggle', draw);
  return fold;
}
