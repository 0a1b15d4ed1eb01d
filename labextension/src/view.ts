// One open notebook: its form, what is being done, the run that is looked at, the runs so far.

import { JupyterFrontEnd } from '@jupyterlab/application';
import { NotebookPanel } from '@jupyterlab/notebook';
import { Contents } from '@jupyterlab/services';

import { IForm, IJob, IRun, IRunRow, Refusal, get } from './api';
import { button, el, fill } from './dom';
import { Fields } from './form';
import { Follower } from './follow';
import { HandIn } from './handin';
import { problemBox } from './problems';
import { isOlder, moment, parametersText, runShown, verdictMark } from './results';
import { RunActions } from './actions';

/** What the panel shows of one notebook, kept while it is open. */
export class NotebookView {
  readonly node = el('div', { class: 'bb-view' }, el('p', { class: 'bb-help', role: 'status' }, 'Reading the notebook …'));
  readonly ready: Promise<void>;
  private readonly _follower = new Follower(() => !this._disposed);
  private readonly _result = el('div', { class: 'bb-result' });
  private readonly _runs = el('div', { class: 'bb-runs' });
  private readonly _unsaved = el('p', { class: 'bb-help', hidden: true }, 'The notebook has changes that are not saved; “Run” saves it first.');
  private readonly _run = el('button', { type: 'submit', class: 'bb-button bb-main' }, 'Run');
  private readonly _head = el('div');
  private readonly _actions = new Map<string, RunActions>(); // by run: what is being done with one goes on while another is looked at
  private _fields: Fields | null = null;
  private _typed: Record<string, unknown> = {}; // outlives a form that cannot be shown for a while
  private _handIn: HandIn | null = null;
  private _identity = '';
  private _shown: IRun | null = null;
  private _rows: IRunRow[] = [];
  private _loads = 0;
  private _looks = 0;
  private _disposed = false;

  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _app: JupyterFrontEnd
  ) {
    const { context } = _panel;
    context.saveState.connect((_, state) => state === 'completed' && void this._load());
    void context.ready.then(() => context.fileChanged.connect(() => void this._load())); // read again from the disk
    context.pathChanged.connect(() => this._moved());
    context.model.stateChanged.connect(() => this._showUnsaved());
    _app.serviceManager.contents.fileChanged.connect(this._deleted, this);
    this.ready = this._load();
  }

  dispose(): void {
    this._disposed = true;
    this._app.serviceManager.contents.fileChanged.disconnect(this._deleted, this);
  }

  /** The notebook's path as the server knows it. */
  get path(): string {
    return this._app.serviceManager.contents.localPath(this._panel.context.path);
  }

  private _deleted(_: unknown, change: Contents.IChangedArgs): void {
    const gone = change.type === 'delete' ? (change.oldValue?.path ?? '') : '';
    if (gone && `${this._panel.context.path}/`.startsWith(`${gone}/`)) {
      void this._load();
    }
  }

  /** It has another name now: its runs are others, and the ones that are shown are not its own. */
  private _moved(): void {
    this._typed = this._fields?.given() ?? this._typed;
    this._fields = null;
    this._shown = null;
    this._rows = [];
    this._actions.clear();
    fill(this._result);
    fill(this._runs);
    void this._load();
  }

  private _showUnsaved(): void {
    this._unsaved.hidden = !this._panel.context.model.dirty;
  }

  private async _load(): Promise<void> {
    const mine = ++this._loads;
    try {
      const form = await get<IForm>('form', { path: this.path });
      if (mine === this._loads) {
        this._showForm(form);
      }
    } catch (error) {
      if (mine === this._loads) {
        this._showNone(error);
      }
    }
  }

  /** Shows why there is no form; what was typed, and what is being done, is kept. */
  private _showNone(error: unknown): void {
    this._typed = this._fields?.given() ?? this._typed;
    this._fields = null;
    const again = button('Look again', () => void this._load());
    fill(this.node, place(this.path), noForm(error), again, this._follower.node);
  }

  private _showForm(form: IForm): void {
    const changed = this._identity !== form.identity;
    this._identity = form.identity;
    this._showUnsaved();
    this._showHead(form);
    if (this._fields) {
      this._fields.show(form);
      if (changed) {
        this._showRun();
        this._showRows();
      }
      return;
    }
    this._build(form);
    const going = form.jobs.filter(job => job.state === 'running' || job.state === 'stopping');
    const about = going.find(job => typeof job.about.run === 'string');
    void this._listRuns(!about);
    going.forEach(job => void this._resume(job));
  }

  private _showHead(form: IForm): void {
    fill(
      this._head,
      el('h2', { class: 'bb-title' }, form.title),
      place(this.path),
      form.abstract ? el('details', {}, el('summary', {}, 'What it is about'), el('p', {}, form.abstract)) : null,
      form.source ? copyNote(form) : null
    );
  }

  private _build(form: IForm): void {
    this._fields = new Fields(() => this.path, form);
    this._fields.refill({ ...form.values, ...this._typed });
    this._handIn = new HandIn(this.path, () => this._save(), () => !this._disposed);
    const submit = (event: Event) => {
      event.preventDefault();
      void this._start();
    };
    const reset = button('Defaults', () => this._fields?.reset());
    const line = el('div', { class: 'bb-line' }, this._run, reset);
    fill(
      this.node,
      this._head,
      el('form', { novalidate: true, onsubmit: submit, 'aria-label': 'Parameters' }, this._fields.node, this._unsaved, line),
      this._follower.node,
      this._result,
      el('h3', {}, 'Runs so far'),
      this._runs,
      this._handIn.node
    );
  }

  /** Goes on with a job that was begun before this page was loaded. */
  private async _resume(job: IJob): Promise<void> {
    if (this._follower.busy && job.kind === 'run') {
      return; // it is being followed
    }
    if (job.kind === 'run') {
      this._run.disabled = true;
      await this._ended(await this._follower.follow(job));
      this._run.disabled = false;
    } else if (typeof job.about.run === 'string') {
      await this._look(job.about.run);
      this._actions.get(job.about.run)?.resume(job);
    } else {
      this._handIn?.resume(job);
    }
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
      if (await this._save()) {
        await this._load(); // what was saved may have other parameters
      }
      if (!this._fields) {
        return;
      }
      this._fields.showFindings([]);
      const order = { kind: 'run', path: this.path, values: this._fields.given() };
      await this._ended(await this._follower.start(order, () => this._clear()));
    } catch (error) {
      this._refused(error);
    } finally {
      this._run.disabled = false;
    }
  }

  /** Takes the run away that is looked at: below a run on its way, no number of another one stands. */
  private _clear(): void {
    this._looks += 1;
    this._shown = null;
    fill(this._result);
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

  private async _ended(job: IJob | null): Promise<void> {
    void this._listRuns(false);
    if (!job || this._disposed) {
      return;
    }
    const { run, verdict, cached, changed } = job.result;
    await this._look(run);
    const again = cached ? ' This very run was there already; nothing was executed.' : '';
    const differs = changed.length ? ` Differs from its earlier execution: ${changed.join(', ')}.` : '';
    this._follower.say((verdict === 'complete' ? 'Run complete.' : `Run ended: ${verdict}.`) + again + differs);
  }

  /** Shows a run. */
  private async _look(id: string): Promise<void> {
    const mine = ++this._looks;
    let run: IRun;
    try {
      run = await get<IRun>(`runs/${id}`, { path: this.path });
    } catch (error) {
      if (mine === this._looks) {
        this._shown = null;
        fill(this._result, problemBox(error));
      }
      return;
    }
    if (mine === this._looks) {
      this._shown = run;
      this._showRun();
    }
  }

  private _showRun(): void {
    const run = this._shown;
    if (!run) {
      return;
    }
    const actions = this._actions.get(run.id) ?? new RunActions(run, this.path, this._app, () => !this._disposed);
    this._actions.set(run.id, actions);
    const heading = el('h3', { tabindex: -1 }, 'Run ', el('code', {}, run.id.slice(0, 8)));
    const words = 'The notebook was changed after this run: these are results of what it was then.';
    const older = isOlder(run, this._identity) && el('p', { class: 'bb-note' }, words);
    fill(this._result, heading, older, runShown(run, this.path), actions.node);
  }

  private async _listRuns(first: boolean): Promise<void> {
    try {
      this._rows = await get<IRunRow[]>('runs', { path: this.path });
      this._showRows();
      if (first && this._rows[0] && !this._result.hasChildNodes() && !this._follower.busy) {
        await this._look(this._rows[0].id);
      }
    } catch (error) {
      fill(this._runs, problemBox(error));
    }
  }

  private _showRows(): void {
    const none = el('p', { class: 'bb-help' }, 'None yet.');
    fill(this._runs, this._rows.length ? el('ul', {}, ...this._rows.map(row => this._row(row))) : none);
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
      isOlder(row, this._identity) && el('div', { class: 'bb-help' }, 'of the notebook before it was changed'),
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

function place(path: string): HTMLElement {
  return el('p', { class: 'bb-help' }, el('code', {}, path));
}

function noForm(error: unknown): HTMLElement {
  const what = error instanceof Refusal ? error.problem.what : '';
  if (what === 'no such file in JupyterLab\'s folder') {
    const words = 'This notebook is not there any more: it was deleted, or moved. What is still open can be saved again: File → Save Notebook.';
    return el('p', { class: 'bb-empty', role: 'alert' }, words);
  }
  if (error instanceof Refusal && what === 'not an experiment notebook') {
    const words = 'This notebook has no form: a notebook that Braggbook runs begins with front matter and has a cell tagged “parameters”.';
    return el('div', {}, el('p', { class: 'bb-empty' }, words), problemBox(error));
  }
  return problemBox(error);
}
