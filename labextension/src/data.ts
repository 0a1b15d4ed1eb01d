// The datasets of the project: what they are, under which licence, and the line that opens them.

import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { IDataset, get } from './api';
import { button, el, field, fill, size, table } from './dom';
import { problemBox } from './problems';

/** The panel at the left. */
export class DataPanel extends Widget {
  private readonly _list = el('div', { class: 'bb-datasets' });
  private readonly _live = el('p', { class: 'bb-live', role: 'status', 'aria-live': 'polite' });
  private readonly _filter: HTMLInputElement;
  private _found: IDataset[] = [];
  private _asked = false;

  constructor(private readonly _tracker: INotebookTracker) {
    super();
    this.addClass('bb-panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Datasets');
    const [place, input] = field('Find', { type: 'search' });
    this._filter = input;
    input.addEventListener('input', () => this._show());
    const again = button('Look again', () => void this._load());
    this.node.append(el('div', { class: 'bb-body' }, el('h2', { class: 'bb-title' }, 'Datasets'), place, this._live, this._list, again));
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    if (!this._asked) {
      void this._load();
    }
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this._filter.focus();
  }

  private async _load(): Promise<void> {
    this._asked = true;
    try {
      this._found = await get<IDataset[]>('datasets');
      this._show();
    } catch (error) {
      fill(this._list, problemBox(error));
    }
  }

  private _show(): void {
    const words = this._filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (one: IDataset) => words.every(word => `${one.slug} ${one.title} ${one.abstract ?? ''}`.toLowerCase().includes(word));
    const shown = this._found.filter(fits);
    this._live.textContent = `${shown.length} of ${this._found.length} datasets`;
    fill(this._list, ...shown.map(one => this._card(one)));
  }

  private _card(one: IDataset): HTMLElement {
    const title = el('summary', {}, one.title, el('span', { class: 'bb-help bb-block' }, el('code', {}, one.reference ?? one.slug)));
    if (one.error) {
      return el('details', { class: 'bb-part' }, title, el('p', { class: 'bb-problem' }, one.error));
    }
    const sources = (one.sources ?? []).map(source => el('li', {}, source.citation, source.doi ? ` doi:${source.doi}` : ''));
    const more = (one.count ?? 0) - (one.files ?? []).length;
    return el(
      'details',
      { class: 'bb-part' },
      title,
      ...(one.lines ?? []).map(line => this._line(line)),
      el('p', {}, one.abstract),
      el('p', { class: 'bb-help' }, `Licence ${one.license}; ${size(one.bytes ?? 0)}`),
      ...(one.files ?? []).map(file => fileShown(file)),
      more > 0 ? el('p', { class: 'bb-help' }, `and ${more} more files`) : null,
      el('p', { class: 'bb-help' }, one.provenance),
      sources.length > 0 && el('ul', { class: 'bb-help' }, ...sources)
    );
  }

  private _line(line: string): HTMLElement {
    const insert = button('Insert', () => void this._insert(line), { 'aria-label': `Insert ${line}` });
    return el('div', { class: 'bb-code' }, el('code', {}, line), insert);
  }

  /** Writes a line into the code cell that is active in the open notebook, or into a new one below. */
  private async _insert(line: string): Promise<void> {
    const notebook = this._tracker.currentWidget?.content;
    if (!notebook) {
      this._live.textContent = 'Open a notebook first; the line goes into its active cell.';
      return;
    }
    if (notebook.activeCell?.model.type !== 'code') {
      NotebookActions.insertBelow(notebook);
    }
    const cell = notebook.activeCell;
    await cell?.ready;
    const editor = cell?.editor;
    if (!editor) {
      this._live.textContent = 'There is no code cell to write into.';
      return;
    }
    editor.setCursorPosition({ line: editor.getCursorPosition().line, column: 0 }); // a line of its own
    editor.replaceSelection?.(`${line}\n`);
    this._live.textContent = `Inserted: ${line}`;
  }
}

function fileShown(file: NonNullable<IDataset['files']>[number]): HTMLElement {
  const name = [el('code', {}, file.path), ` ${size(file.bytes)}`];
  if (!file.columns.length) {
    return el('p', {}, ...name);
  }
  const rows = file.columns.map(column => [el('code', {}, column.name), column.unit, column.meaning]);
  return el('details', {}, el('summary', {}, ...name), table(file.path, ['Column', 'Unit', 'Meaning'], rows));
}
