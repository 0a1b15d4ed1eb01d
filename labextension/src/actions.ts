// What can be done with a run: verify it, publish it, take it away, read its report.

import { JupyterFrontEnd } from '@jupyterlab/application';
import { IFrame, MainAreaWidget } from '@jupyterlab/apputils';

import { IJob, IRun, address } from './api';
import { button, el, fill, table } from './dom';
import { Follower } from './follow';
import { Publish } from './publish';
import { verdictMark } from './results';

interface IVerification {
  verdict: string;
  words: string;
  reason: string;
  rows: { name: string; expected: string; actual: string; tolerance: string; verdict: string; difference: string }[];
  files: string[];
  notes: string[];
}

/** The buttons below a run. */
export class RunActions {
  readonly node = el('div', { class: 'bb-actions' });
  private readonly _follower: Follower;
  private readonly _publish: Publish;
  private readonly _verdict = el('div', { class: 'bb-verification' });
  private readonly _verify = button('Verify', () => void this._verified(() => this._follower.start({ kind: 'verify', path: this._path, run: this._run.id })));

  constructor(
    private readonly _run: IRun,
    private readonly _path: string,
    private readonly _app: JupyterFrontEnd,
    isAlive: () => boolean
  ) {
    this._follower = new Follower(isAlive);
    this._publish = new Publish(_run, _path, isAlive);
    const complete = _run.verdict === 'complete';
    const zip = address(`runs/${_run.id}/zip`, { path: _path });
    const download = el('a', { class: 'bb-button', href: zip, download: `${_run.notebook}-${_run.id}.zip` }, 'Download');
    const line = el('div', { class: 'bb-line' }, complete && this._verify, button('Report', () => this._report()), download);
    fill(this.node, line, this._follower.node, this._verdict, complete && this._publish.node);
  }

  /** Goes on with a job that was begun before this page was loaded. */
  resume(job: IJob): void {
    if (job.kind === 'verify') {
      void this._verified(() => this._follower.follow(job));
    } else {
      this._publish.resume(job);
    }
  }

  private async _verified(begin: () => Promise<IJob | null>): Promise<void> {
    this._verify.disabled = true;
    fill(this._verdict);
    try {
      const job = await begin();
      if (job?.result) {
        fill(this._verdict, ...verification(job.result));
        this._follower.say(`Verified: ${job.result.verdict}.`);
      }
    } catch (error) {
      this._follower.fail(error);
    } finally {
      this._verify.disabled = false;
    }
  }

  /** Opens the report in a tab, where it can neither run a script nor reach this page. */
  private _report(): void {
    const content = new IFrame({ sandbox: [] });
    content.url = address(`runs/${this._run.id}/report`, { path: this._path });
    content.node.querySelector('iframe')?.setAttribute('title', `Report of run ${this._run.id.slice(0, 8)}`);
    const widget = new MainAreaWidget({ content });
    widget.title.label = `Report ${this._run.id.slice(0, 8)}`;
    widget.title.closable = true;
    this._app.shell.add(widget, 'main');
  }
}

function verification(found: IVerification): HTMLElement[] {
  const rows = found.rows.map(row => [
    el('code', {}, row.name), verdictMark(row.verdict), row.expected, row.actual, row.tolerance, row.difference
  ]);
  const titles = ['Result', 'Verdict', 'Record', 'Repeated', 'Tolerance', 'Difference'];
  return [
    el('p', {}, verdictMark(found.verdict), ` ${found.words}`),
    ...(found.reason ? [el('p', {}, found.reason)] : []),
    ...(rows.length ? [table('Results of the record beside their repetition', titles, rows)] : []),
    ...(found.files.length ? [el('ul', {}, ...found.files.map(file => el('li', {}, file)))] : []),
    ...found.notes.map(note => el('p', { class: 'bb-help' }, `Note: ${note}`))
  ];
}
