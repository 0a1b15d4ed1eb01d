// The form of a notebook: one field for each parameter, checked by the server as `braggbook run` checks it.

import { IField, IFinding, IForm, post } from './api';
import { el, fill, freshId } from './dom';

type Control = HTMLInputElement | HTMLSelectElement;

class Row {
  readonly node: HTMLElement;
  readonly control: Control;
  private readonly _error: HTMLElement;

  constructor(
    readonly field: IField,
    changed: () => void
  ) {
    const id = freshId(field.name);
    const about = [field.bounds, field.help].filter(Boolean).join('; ');
    const help = el('span', { class: 'bb-help', id: `${id}-help` }, about);
    this._error = el('span', { class: 'bb-error', id: `${id}-error` });
    this.control = makeControl(field, id);
    this.control.setAttribute('aria-describedby', `${id}-error${about ? ` ${id}-help` : ''}`);
    this.control.addEventListener('change', changed);
    const unit = field.unit ? el('span', { class: 'bb-unit' }, field.unit) : null;
    const label = el('label', { for: id }, el('code', {}, field.name), unit && ' ', unit);
    const line = field.widget === 'switch' ? [el('div', { class: 'bb-tick' }, this.control, label)] : [label, this.control];
    this.node = el('div', { class: 'bb-field' }, ...line, this._error, about ? help : null);
  }

  get given(): unknown {
    if (this.control instanceof HTMLSelectElement) {
      return this.field.choices[this.control.selectedIndex]?.value;
    }
    return this.field.widget === 'switch' ? this.control.checked : this.control.value;
  }

  get changed(): boolean {
    return this.given !== (this.field.widget === 'text' || this.field.widget === 'number' ? this.field.text : this.field.default);
  }

  /** Fills it with what was typed before, or with a value of a run. */
  fill(value: unknown): void {
    if (this.control instanceof HTMLSelectElement) {
      const index = this.field.choices.findIndex(choice => choice.value === value);
      this.control.selectedIndex = index < 0 ? this.control.selectedIndex : index;
    } else if (this.field.widget === 'switch') {
      this.control.checked = value === true;
    } else {
      this.control.value = typeof value === 'string' ? value : JSON.stringify(value);
    }
  }

  say(error: string): void {
    fill(this._error, error);
    if (error) {
      this.control.setAttribute('aria-invalid', 'true');
    } else {
      this.control.removeAttribute('aria-invalid');
    }
  }
}

function makeControl(field: IField, id: string): Control {
  if (field.widget === 'choice') {
    const options = field.choices.map(choice => el('option', {}, choice.text));
    const select = el('select', { id, class: 'bb-input' }, ...options);
    select.selectedIndex = field.choices.findIndex(choice => choice.value === field.default);
    return select;
  }
  if (field.widget === 'switch') {
    return el('input', { id, type: 'checkbox', checked: field.default === true });
  }
  // a text field also for numbers, so that "200 cGy" can be typed
  const mode = field.widget === 'number' ? 'decimal' : null;
  return el('input', {
    id, type: 'text', class: 'bb-input', inputmode: mode, autocomplete: 'off', spellcheck: 'false', value: field.text
  });
}

/** The fields of one notebook. */
export class Fields {
  readonly node = el('div', { class: 'bb-fields' });
  private _rows: Row[] = [];
  private _asked = 0;
  private _shown = '';

  constructor(
    private readonly _path: () => string,
    form: IForm
  ) {
    this.show(form);
  }

  /** Shows the fields of a form; what was typed stays where the field is still there. */
  show(form: IForm): void {
    const shown = JSON.stringify(form.fields);
    if (shown === this._shown) {
      return; // saving by the clock must not take the field away in which somebody types
    }
    this._shown = shown;
    const typed = this.given();
    this._rows = form.fields.map(field => new Row(field, () => void this.check()));
    this.refill(typed);
    const none = el('p', { class: 'bb-help' }, 'This notebook has no parameters.');
    fill(this.node, ...(this._rows.length ? this._rows.map(row => row.node) : [none]));
  }

  /** Returns what was changed; all else keeps the notebook's default. */
  given(): Record<string, unknown> {
    return Object.fromEntries(this._rows.filter(row => row.changed).map(row => [row.field.name, row.given]));
  }

  /** Fills in values by name. */
  refill(values: Record<string, unknown>): void {
    for (const row of this._rows) {
      if (row.field.name in values) {
        row.fill(values[row.field.name]);
      }
    }
  }

  /** Puts the notebook's defaults back. */
  reset(): void {
    this._rows.forEach(row => row.fill(row.field.default));
    this.showFindings([]);
  }

  /** Has the server check what is filled in. */
  async check(): Promise<void> {
    const asked = ++this._asked;
    const said = await post<{ findings: IFinding[] }>('form', { values: this.given() }, { path: this._path() }).catch(() => null);
    if (said && asked === this._asked) {
      this.showFindings(said.findings);
    }
  }

  /** Shows each finding beside its field; returns those that belong to none. */
  showFindings(findings: IFinding[], focus = false): IFinding[] {
    this._asked += 1; // an answer that is on its way is older
    const wrong = new Map<string, string[]>();
    findings.forEach(one => wrong.set(one.field, [...(wrong.get(one.field) ?? []), one.text]));
    for (const row of this._rows) {
      row.say((wrong.get(row.field.name) ?? []).join(' '));
    }
    if (focus) {
      this._rows.find(row => wrong.has(row.field.name))?.control.focus();
    }
    return findings.filter(one => !this._rows.some(row => row.field.name === one.field));
  }
}
