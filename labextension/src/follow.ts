// A job on its way: a bar, a line for screen readers, a button that stops it.

import { IJob, IProblem, Refusal, get, isOffline, post, remove } from './api';
import { button, el, fill } from './dom';
import { problemBox, problemShown } from './problems';

const PAUSE_MS = 2000; // before a server that did not answer is asked again
const TICK_MS = 1000;
const WORDS: Record<string, string> = {
  run: 'Running', verify: 'Repeating the run', plan: 'Planning', push: 'Sending', mint: 'Publishing',
  try: 'Trying on the public twin', submit: 'Handing in'
};
const RESTARTED: IProblem = {
  what: 'JupyterLab’s server was started again meanwhile, and what was being done ended with it; it can be begun anew'
};

/** Shows one job at a time, and returns how it ended. */
export class Follower {
  readonly node = el('div', { class: 'bb-job' });
  private readonly _live = el('p', { class: 'bb-live', role: 'status', 'aria-live': 'polite' });
  private readonly _bar = el('progress', { 'aria-label': 'progress' });
  private readonly _clock = el('span', { class: 'bb-help bb-clock', 'aria-hidden': 'true' });
  private readonly _stop = button('Stop', () => void this._stopped());
  private readonly _line = el('div', { class: 'bb-line', hidden: true }, this._bar, this._clock, this._stop);
  private readonly _problem = el('div');
  private _job: IJob | null = null;
  private _starting = false;
  private _timer = 0;
  private _began = 0;

  constructor(private readonly _isAlive: () => boolean) {
    fill(this.node, this._live, this._line, this._problem);
  }

  get busy(): boolean {
    return this._job !== null || this._starting;
  }

  /** Says something that is not a job's. */
  say(text: string): void {
    if (this._live.textContent !== text) {
      this._live.textContent = text;
    }
  }

  /** Shows why something could not be begun. */
  fail(error: unknown): void {
    this.say('');
    fill(this._problem, problemBox(error));
  }

  /** Takes a problem away. */
  clear(): void {
    this.say('');
    fill(this._problem);
  }

  /** Begins a job and follows it; null where it came to nothing, which is then shown. */
  async start(order: Record<string, unknown>, begun: () => void = () => undefined): Promise<IJob | null> {
    this.clear();
    this.say(`${WORDS[String(order.kind)] ?? 'Working'}: starting`);
    this._starting = true;
    let job: IJob;
    try {
      job = await post<IJob>('jobs', order);
    } finally {
      this._starting = false;
    }
    begun();
    return this.follow(job);
  }

  /** Follows a job to its end; the server may be away for a while meanwhile. */
  async follow(begun: IJob): Promise<IJob | null> {
    let job = begun;
    this._show(job);
    while (!isOver(job) && this._isAlive()) {
      try {
        job = await get<IJob>(`jobs/${job.id}`, { seen: String(job.version) });
        this._show(job);
      } catch (error) {
        if (!isOffline(error)) {
          this._end();
          this.fail(isForgotten(error) ? new Refusal(RESTARTED) : error);
          return null;
        }
        this.say('The server does not answer; asking again.');
        await new Promise(resolve => setTimeout(resolve, PAUSE_MS));
      }
    }
    this._end();
    if (!isOver(job)) {
      return null; // nobody looks any more
    }
    if (job.state === 'failed' || (job.state === 'stopped' && !job.result)) {
      this.say('');
      fill(this._problem, problemShown(job.error ?? ({ what: 'stopped' } as IProblem)));
      return null;
    }
    return job;
  }

  private _show(job: IJob): void {
    if (!this._job) {
      this._began = Date.now() - 1000 * job.seconds;
      this._timer = window.setInterval(() => this._tick(), TICK_MS);
      this._tick();
      this._line.hidden = false;
      this._stop.disabled = false;
    }
    this._job = job;
    const { total = 0, note = '', title = '' } = job.progress;
    const done = Math.min(job.progress.done ?? 0, total); // the cell that sets parameters is not one of the notebook's
    if (total > 0) {
      this._bar.max = total;
      this._bar.value = done;
    } else {
      this._bar.removeAttribute('value');
    }
    const word = job.state === 'stopping' ? 'Stopping' : (WORDS[job.kind] ?? 'Working');
    const far = total > 0 ? `${done} of ${total}${job.kind === 'run' || job.kind === 'verify' ? ' cells' : ''} done` : 'preparing';
    const more = note && job.kind !== 'run' && job.kind !== 'verify' ? `, ${note}` : '';
    const what = title && job.kind !== 'run' && job.kind !== 'verify' ? ` (${title})` : '';
    this.say([`${word}${what}: ${far}${more}`, ...job.said.slice(-1)].join('; '));
  }

  private _tick(): void {
    this._clock.textContent = `${Math.round((Date.now() - this._began) / 1000)} s`;
  }

  private _end(): void {
    window.clearInterval(this._timer);
    this._line.hidden = true;
    this._job = null;
  }

  private async _stopped(): Promise<void> {
    this._stop.disabled = true;
    if (this._job) {
      await remove(`jobs/${this._job.id}`).catch(error => {
        fill(this._problem, problemBox(error));
        this._stop.disabled = false;
      });
    }
  }
}

function isForgotten(error: unknown): boolean {
  return error instanceof Refusal && error.problem.what === 'no such job';
}

/** Tells whether a job has ended. */
export function isOver(job: IJob): boolean {
  return job.state === 'done' || job.state === 'failed' || job.state === 'stopped';
}
