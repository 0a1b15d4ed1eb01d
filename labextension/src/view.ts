// One open notebook: its form, what is being done, the run that is looked at, the runs so far.

import { JupyterFrontEnd } from '@jupyterlab/application';
import { NotebookPanel } from '@jupyterlab/notebook';

import { IForm, IJob, IRun, IRunRow, Refusal, get } from './api';
import { button, el, fill } from './dom';
import { Fields } from './form';
import { Follower } from './follow';
import { HandIn } from './handin';
import { problemBox } from './problems';
import { moment, parametersText, runShown, verdictMark } from './results';
import { RunActions } from './actions';

/** What the panel shows of one notebook, kept while it is open. */
export class NotebookView {
  readonly node = el('div', { class: 'bb-view' }, el('p', { class: 'bb-help', role: 'status' }, 'Reading the notebook …'));
  readonly ready: Promise<void>;
  private readonly _follower = new Follower(() => !this._disposed);
  private readonly _result = el('div', { class: 'bb-result' });
  private readonly _runs = el('div', { class: 'bb-runs' });
  private readonly _run = el('button', { type: 'submit', class: 'bb-button bb-main' }, 'Run');
  private _fields: Fields | null = null;
  private _built = false;
  private _disposed = false;

  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _app: JupyterFrontEnd
  ) {
    _panel.context.saveState.connect((_, state) => {
      if (state === 'completed') {
        void this._load();
      }
    });
    _panel.context.pathChanged.connect(() => void this._load());
    this.ready = this._load();
  }

  dispose(): void {
    this._disposed = true;
  }

  /** The notebook's path as the server knows it. */
  get path(): string {
    return this._app.serviceManager.contents.localPath(this._panel.context.path);
  }

  private async _load(): Promise<void> {
    let form: IForm;
    try {
      form = await get<IForm>('form', { path: this.path });
    } catch (error) {
      this._built = false;
      this._fields = null;
      fill(this.node, noForm(error), button('Look again', () => void this._load()));
      return;
    }
    if (this._built && this._fields) {
      this._fields.show(form);
      fill(this.node.querySelector('.bb-title')!, form.title);
      return;
    }
    this._build(form);
    void this._listRuns(true);
    const running = form.jobs.find(job => job.state === 'running' || job.state === 'stopping');
    if (running && running.kind === 'run') {
      void this._followed(running);
    }
  }

  private _build(form: IForm): void {
    this._built = true;
    this._fields = new Fields(() => this.path, form);
    this._fields.refill(form.values);
    const submit = (event: Event) => {
      event.preventDefault();
      void this._start();
    };
    const reset = button('Defaults', () => this._fields?.reset());
    const line = el('div', { class: 'bb-line' }, this._run, reset);
    fill(
      this.node,
      el('h2', { class: 'bb-title' }, form.title),
      form.abstract ? el('details', {}, el('summary', {}, 'What it is about'), el('p', {}, form.abstract)) : null,
      form.source ? copyNote(form) : null,
      el('form', { novalidate: true, onsubmit: submit, 'aria-label': 'Parameters' }, this._fields.node, line),
      this._follower.node,
      this._result,
      el('h3', {}, 'Runs so far'),
      this._runs,
      new HandIn(this.path, () => this._save()).node
    );
  }

  /** Saves the notebook if it was changed, so that what runs is what is seen. */
  private async _save(): Promise<boolean> {
    const { context } = this._panel;
    if (!context.model.dirty) {
      return false;
    }
    if (context.model.readOnly) {
      throw new Refusal({ what: 'the notebook was changed, and cannot be saved here', next: 'File → Save Notebook As' });
    }
    await context.save();
    return true;
  }

  private async _start(): Promise<void> {
    if (this._follower.busy || !this._fields) {
      return;
    }
    this._run.disabled = true;
    try {
      const saved = await this._save();
      this._fields.showFindings([]);
      const begun = this._follower.start({ kind: 'run', path: this.path, values: this._fields.given() });
      if (saved) {
        this._follower.say('The notebook was saved first.');
      }
      await this._ended(await begun);
    } catch (error) {
      this._refused(error);
    } finally {
      this._run.disabled = false;
    }
  }

  private _refused(error: unknown): void {
    if (error instanceof Refusal && error.findings.length && this._fields) {
      const others = this._fields.showFindings(error.findings, true);
      const count = error.findings.length;
      this._follower.clear();
      this._follower.say(`Not run: ${count === 1 ? 'one value is' : `${count} values are`} not accepted.`);
      if (others.length) {
        this._follower.fail(new Refusal({ what: others.map(one => `${one.field}: ${one.text}`).join('; ') }));
      }
      return;
    }
    this._follower.fail(error);
  }

  private async _followed(job: IJob): Promise<void> {
    this._run.disabled = true;
    await this._ended(await this._follower.follow(job));
    this._run.disabled = false;
  }

  private async _ended(job: IJob | null): Promise<void> {
    if (!job || this._disposed) {
      void this._listRuns(false);
      return;
    }
    const { run, verdict, cached, changed } = job.result;
    await this._look(run);
    void this._listRuns(false);
    const again = cached ? ' This very run was there already; nothing was executed.' : '';
    const differs = changed.length ? ` Differs from its earlier execution: ${changed.join(', ')}.` : '';
    this._follower.say((verdict === 'complete' ? 'Run complete.' : `Run ended: ${verdict}.`) + again + differs);
  }

  /** Shows a run. */
  private async _look(id: string): Promise<void> {
    try {
      const run = await get<IRun>(`runs/${id}`, { path: this.path });
      const actions = new RunActions(run, this.path, this._app);
      const heading = el('h3', { tabindex: -1 }, 'Run ', el('code', {}, id.slice(0, 8)));
      fill(this._result, heading, runShown(run, this.path), actions.node);
    } catch (error) {
      fill(this._result, problemBox(error));
    }
  }

  private async _listRuns(first: boolean): Promise<void> {
    try {
      const rows = await get<IRunRow[]>('runs', { path: this.path });
      fill(this._runs, rows.length ? el('ul', {}, ...rows.map(row => this._row(row))) : el('p', { class: 'bb-help' }, 'None yet.'));
      if (first && rows[0] && !this._result.hasChildNodes() && !this._follower.busy) {
        await this._look(rows[0].id);
      }
    } catch (error) {
      fill(this._runs, problemBox(error));
    }
  }

  private _row(row: IRunRow): HTMLElement {
    const show = async () => {
      await this._look(row.id);
      this._result.querySelector<HTMLElement>('h3')?.focus();
    };
    const label = `Show run ${row.id.slice(0, 8)} of ${moment(row.ended)}`;
    return el(
      'li',
      {},
      button(row.id.slice(0, 8), () => void show(), { class: 'bb-link', 'aria-label': label }),
      ' ', verdictMark(row.verdict), ` ${moment(row.ended)}`,
      el('div', { class: 'bb-help' }, parametersText(row.parameters)),
      row.results.length > 0 && el('div', { class: 'bb-help' }, row.results.join(', ')),
      button('Fill in', () => this._fields?.refill(row.parameters), {
        class: 'bb-link', 'aria-label': `Fill the parameters of run ${row.id.slice(0, 8)} in`
      })
    );
  }
}

function copyNote(form: IForm): HTMLElement {
  const words = 'This copy was opened by a link with values of its own. “Run” executes the notebook that it was made of, ';
  return el('p', { class: 'bb-note' }, words, el('code', {}, form.source), ', with the values below; what is changed in the copy takes no part.');
}

function noForm(error: unknown): HTMLElement {
  if (error instanceof Refusal && error.problem.what === 'not an experiment notebook') {
    const words = 'This notebook has no form: a notebook that Braggbook runs begins with front matter and has a cell tagged “parameters”.';
    return el('div', {}, el('p', { class: 'bb-empty' }, words), el('details', {}, el('summary', {}, 'What is missing'), problemBox(error)));
  }
  return problemBox(error);
}
