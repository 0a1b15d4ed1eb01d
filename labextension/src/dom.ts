// Elements made by code. Whatever a notebook, a card or a server says becomes text, never markup.

export type Child = Node | string | null | undefined | false;
type Listener = (event: Event) => void;
type Value = string | number | boolean | null | undefined | Listener;

let drawn = 0;

/** Returns an id that no other element of this page has. */
export function freshId(name: string): string {
  drawn += 1;
  return `braggbook-${name}-${drawn}`;
}

/** Makes an element. Keys that begin with "on" are listeners; true is an attribute without a value. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Value> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') {
      made.addEventListener(name.slice(2), value);
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, value === true ? '' : String(value));
    }
  }
  made.append(...kept(children));
  return made;
}

/** Puts other children into an element. */
export function fill(parent: Element, ...children: Child[]): void {
  parent.replaceChildren(...kept(children));
}

function kept(children: Child[]): (Node | string)[] {
  return children.filter((one): one is Node | string => one !== null && one !== undefined && one !== false);
}

/** Makes a table with a caption that screen readers say. */
export function table(caption: string, titles: string[], rows: Child[][]): HTMLElement {
  const head = el('tr', {}, ...titles.map(title => el('th', { scope: 'col' }, title)));
  const body = rows.map(row =>
    el('tr', {}, ...row.map((cell, index) => (index ? el('td', {}, cell) : el('th', { scope: 'row' }, cell))))
  );
  return el(
    'div',
    { class: 'bb-scroll', tabindex: 0, role: 'group', 'aria-label': caption },
    el('table', {}, el('caption', { class: 'bb-unseen' }, caption), el('thead', {}, head), el('tbody', {}, ...body))
  );
}

/** Makes a button that does something. */
export function button(text: string, action: () => void, more: Record<string, Value> = {}): HTMLButtonElement {
  return el('button', { type: 'button', class: 'bb-button', onclick: action, ...more }, text);
}

/** Makes a text field with its label above and a line of help below. */
export function field(label: string, attributes: Record<string, Value> = {}, help = ''): [HTMLElement, HTMLInputElement] {
  const id = freshId('field');
  const about = help ? el('span', { class: 'bb-help', id: `${id}-help` }, help) : null;
  const input = el('input', { id, type: 'text', class: 'bb-input', 'aria-describedby': about?.id, ...attributes });
  return [el('div', { class: 'bb-field' }, el('label', { for: id }, label), input, about), input];
}

/** Makes a list to choose from, with its label. */
export function choice(label: string, options: [string, string][]): [HTMLElement, HTMLSelectElement] {
  const id = freshId('choice');
  const made = options.map(([value, text]) => el('option', { value }, text));
  const select = el('select', { id, class: 'bb-input' }, ...made);
  return [el('div', { class: 'bb-field' }, el('label', { for: id }, label), select), select];
}

/** Makes a box to tick, with its label behind it. */
export function tick(label: string, onchange: () => void = () => undefined): [HTMLElement, HTMLInputElement] {
  const id = freshId('tick');
  const box = el('input', { id, type: 'checkbox', onchange });
  return [el('div', { class: 'bb-tick' }, box, el('label', { for: id }, label)), box];
}

/** Returns a number of bytes as people say it. */
export function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let place = 0;
  let value = bytes;
  while (value >= 1000 && place < units.length - 1) {
    value /= 1000;
    place += 1;
  }
  return `${place ? value.toPrecision(3) : value} ${units[place]}`;
}
