// Elements, verdicts and numbers: what every other script draws with. Text is only ever set as
// text, so nothing in the results can become markup.

const results = JSON.parse(document.getElementById('results').textContent);
const verdicts = JSON.parse(document.getElementById('verdicts').textContent);
const unnamed = JSON.parse(document.getElementById('unnamed').textContent);
const byKey = (entries, key) => new Map(entries.map((entry) => [entry[key], entry]));
const scenarios = byKey(results.scenarios, 'name');
const implementations = byKey(results.implementations, 'name');
const conventions = byKey(results.conventions, 'id');

const select = (selector, within = document) => [...within.querySelectorAll(selector)];
const plural = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(key, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== false));
  return node;
}

function verdictMark(name) {
  const { symbol, tone } = verdicts[name];
  const mark = element('span', { class: 'symbol', 'aria-hidden': 'true' }, symbol);
  return element('span', { class: `verdict ${tone}` }, mark, ` ${name}`);
}

function agreementMark(agrees, words) {
  const mark = element('span', { class: 'symbol', 'aria-hidden': 'true' }, agrees ? '✓' : '≠');
  return element('span', { class: `verdict ${agrees ? 'good' : 'bad'}` }, mark, ` ${words}`);
}

function axisLink(axis) {
  return element('a', { class: 'axis', href: `#axis-${axis}` }, axis);
}

function addressLink(address) {
  if (!/^https?:\/\//.test(address)) return element('code', {}, address);
  return element('a', { href: address, rel: 'noreferrer' }, address);
}

function scenarioLink(name) {
  return element('a', { href: `#scenario=${encodeURIComponent(name)}` }, name);
}

function tableBox(label, ...content) {
  const attributes = { class: 'table-box', role: 'region', 'aria-label': label, tabindex: '0' };
  return element('div', attributes, ...content);
}

function headRow(...titles) {
  return element('thead', {}, element('tr', {}, titles.map((t) => element('th', { scope: 'col' }, t))));
}

// A measured value with the nine digits that tell any two float32 apart. NaN and the infinities
// arrive as words and stay so.
function valueText(value) {
  if (typeof value !== 'number') return value;
  return String(Number(value.toPrecision(9))).replace('-', '−');
}

// An error, a bound or a fraction: two or three digits say enough.
function sizeText(value) {
  if (value === null) return '–';
  if (typeof value !== 'number') return value;
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text = size < 1e-3 || size >= 1e4 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  return text.replaceAll('-', '−').replace('+', '');
}
