// What the reader chose lives in the address after the '#', so that a reload, the back button and
// a shared link all show the same thing, also for a page opened from a file.

const FIELDS = [
  'text', 'suite', 'implementation', 'verdict', 'disagreements', 'open', 'from', 'to', 'scenario', 'at',
];
const FILTERS = ['text', 'suite', 'implementation', 'verdict', 'disagreements'];

function readAddress() {
  const query = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(FIELDS.map((field) => [field, query.get(field) ?? '']));
}

function addressOf(state) {
  const query = new URLSearchParams();
  for (const field of FIELDS) if (state[field]) query.set(field, state[field]);
  const url = new URL(location.href);
  url.hash = query.toString();
  return url.href;
}

function writeAddress(state, replace) {
  if (replace) history.replaceState(null, '', addressOf(state));
  else history.pushState(null, '', addressOf(state));
}
