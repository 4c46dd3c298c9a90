// The table of one answer: steps by quantities, with expected and observed values, the error
// that takes up most of its bound, that bound, and the place where the first disagreement arose.

const SHOWN_VALUES = 6;

function stepsTable(cell) {
  const first = { found: false };
  const table = element(
    'table', { class: 'steps' },
    headRow('Step', 'Quantity', 'Result', 'Expected', 'Observed', 'Error', 'Bound', 'Error ÷ bound'),
    cell.steps.map((step, index) => stepBody(step, index, first)),
  );
  return tableBox(`Steps of ${cell.implementation}`, table);
}

function stepBody(step, index, first) {
  const unexplained = !step.agrees && step.checks.every((check) => check.agrees);
  const whole = step.refusal || unexplained || step.checks.length === 0;
  const rows = whole ? [wholeStepRow(step, unexplained, first)] : [];
  const worst = worstOf(step.checks.filter((check) => !check.agrees));
  rows.push(...step.checks.map((check) => checkRow(check, first, check === worst)));
  const words = `${index + 1}. ${unnumbered(step.step)}`;
  rows[0].prepend(element('th', { scope: 'rowgroup', rowspan: rows.length }, words));
  return element('tbody', {}, rows);
}

// What concerns no single quantity: an error the framework raised, or one it should have raised.
function wholeStepRow(step, unexplained, first) {
  const { refusal } = step;
  const said = refusal
    ? ['raised ', element('code', {}, refusal.type), `: ${refusal.message}`]
    : [unexplained ? 'not what was expected' : 'nothing to observe'];
  const quantity = element('td', { class: 'muted' }, 'whole step');
  return markedRow(!unexplained, first, quantity, [element('td', { colspan: '5' }, said)]);
}

// The quantity furthest outside its bound: the one that the sentence above the table names.
function worstOf(checks) {
  const excess = (check) => (check.fraction === null ? Infinity : Number(check.fraction));
  return checks.reduce((worst, check) => (worst && excess(worst) >= excess(check) ? worst : check), null);
}

function checkRow(check, first, isWorst) {
  const shape = check.shape.length > 0 ? `shape ${check.shape.join('×')}` : 'scalar';
  const quantity = element('td', {}, check.quantity.replaceAll('_', ' '), element('span', { class: 'question number' }, shape));
  const number = (value) => element('td', { class: 'number size' }, sizeText(value));
  const at = check.index && check.error !== 0 && check.index.length > 0
    ? element('span', { class: 'question number' }, `at [${check.index.join(', ')}]`) : null;
  const error = number(check.error);
  if (at) error.append(at);
  return markedRow(check.agrees, isWorst ? first : { found: true }, quantity, [
    valuesCell(check, check.expected), valuesCell(check, check.observed),
    error, number(check.bound), number(check.fraction),
  ]);
}

function markedRow(agrees, first, quantity, cells) {
  const isFirst = !agrees && !first.found;
  const attributes = { class: isFirst ? 'first-disagreement' : null };
  return element('tr', attributes, quantity, resultCell(agrees, first), ...cells);
}

function resultCell(agrees, first) {
  if (agrees) return element('td', {}, agreementMark(true, 'agrees'));
  const words = first.found ? 'differs' : 'first disagreement';
  first.found = true;
  return element('td', {}, agreementMark(false, words));
}

function valuesCell(check, values) {
  if (values === null) return element('td', { class: 'muted' }, 'none');
  const total = check.shape.reduce((product, size) => product * size, 1);
  const worst = check.agrees || !check.index ? -1 : flatIndex(check.index, check.shape);
  const spans = values.map((value, index) => valueSpan(value, index === worst));
  const cell = element('td', { class: 'number values' }, spaced(spans.slice(0, SHOWN_VALUES)));
  if (values.length > SHOWN_VALUES) cell.append(restOfValues(spans.slice(SHOWN_VALUES), values.length, total));
  return cell;
}

function valueSpan(value, worst) {
  return element(worst ? 'mark' : 'span', { title: typeof value === 'number' ? String(value) : null }, valueText(value));
}

function restOfValues(spans, given, total) {
  const more = given < total ? `the first ${given} of ${total}` : `all ${given}`;
  return element('details', {}, element('summary', {}, more), spaced(spans));
}

function spaced(nodes) {
  return nodes.flatMap((node) => [node, ' ']);
}

function flatIndex(index, shape) {
  return index.reduce((flat, position, axis) => flat * (shape[axis] ?? 1) + position, 0);
}
