// Handing in to a challenge: tried on the public twin first, then to the vault of this machine or to a hub.

import { IChallenge, IJob, IProblem, Refusal, get } from './api';
import { button, choice, el, field, fill, table, tick } from './dom';
import { Follower } from './follow';
import { problemBox } from './problems';
import { verdictMark } from './results';

const tokens = new Map<string, string>(); // by the hub's address; of this page alone

/** The part of the panel that hands in. */
export class HandIn {
  readonly node = el('details', { class: 'bb-part' }, el('summary', {}, 'Hand in to a challenge'));
  private readonly _body = el('div', {}, el('p', { class: 'bb-help' }, 'Looking for challenges …'));
  private readonly _follower: Follower;
  private readonly _shown = el('div');
  private _found: IChallenge[] = [];
  private _noSandbox = '';
  private _asked = false;

  constructor(
    private readonly _path: string,
    private readonly _save: () => Promise<boolean>,
    isAlive: () => boolean
  ) {
    this._follower = new Follower(isAlive);
    this.node.append(this._body, this._follower.node, this._shown);
    this.node.addEventListener('toggle', () => {
      if (this.node.open && !this._asked) {
        this._asked = true;
        void this._load();
      }
    });
  }

  /** Goes on with a job that was begun before this page was loaded. */
  resume(job: IJob): void {
    this.node.open = true;
    void this._do(() => this._follower.follow(job));
  }

  private async _load(): Promise<void> {
    try {
      const said = await get<{ challenges: IChallenge[]; no_sandbox: string }>('challenges', { path: this._path });
      this._found = said.challenges;
      this._noSandbox = said.no_sandbox;
      if (this._found.length) {
        this._build();
      } else {
        fill(this._body, el('p', { class: 'bb-help' }, 'This project has no challenges.'));
      }
    } catch (error) {
      this._asked = false;
      fill(this._body, problemBox(error));
    }
  }

  private _build(): void {
    const [challengePlace, challenge] = choice('Challenge', this._found.map(one => [one.slug, one.title]));
    const about = el('div', { class: 'bb-help' });
    const phasePlace = el('div');
    const fileHelp = 'Path in JupyterLab’s folder: this notebook, or a file or folder of predictions.';
    const [filePlace, file] = field('What', { value: this._path, spellcheck: 'false' }, fileHelp);
    const walls = el('div');
    const [teamPlace, team] = field('Team');
    const [titlePlace, title] = field('Title', {}, 'What the team calls it; may be left empty.');
    const [hubPlace, hub] = field('Hub', { placeholder: 'https://', inputmode: 'url' }, 'Its address; empty for the vault of this machine.');
    const tokenPlace = el('div');
    const [termsPlace, accepted] = tick('The team accepts the terms of the phase.');
    const terms = el('p', { class: 'bb-help' });
    let phase: HTMLSelectElement | null = null;

    const chosen = (): IChallenge => this._found[challenge.selectedIndex] ?? this._found[0]!;
    const showPhase = () => {
      const one = chosen().phases[phase?.selectedIndex ?? 0];
      terms.textContent = one ? `Terms: ${one.terms}` : '';
      accepted.checked = false;
    };
    const showChallenge = () => {
      const one = chosen();
      fill(about, one.error || one.abstract || '');
      const [place, select] = choice('Phase', one.phases.map(each => [each.id, `${each.title} (${each.state})`]));
      phase = select;
      select.addEventListener('change', showPhase);
      fill(phasePlace, one.phases.length ? place : null);
      showPhase();
    };
    const showWalls = () => {
      const words =
        'A notebook that others handed in runs behind walls here, and this machine does not allow them' +
        ` (${this._noSandbox}). So it cannot be tried or scored here; a hub runs it on its own machine. Predictions can be tried and handed in.`;
      fill(walls, this._noSandbox && file.value.endsWith('.ipynb') ? el('p', { class: 'bb-note' }, words) : null);
    };
    const showHub = () => {
      const address = hub.value.trim();
      const [place, token] = field('Token of the hub', { type: 'password', autocomplete: 'off' }, 'Kept in the memory of this page until it is closed; never stored.');
      token.value = tokens.get(address) ?? '';
      token.addEventListener('change', () => tokens.set(address, token.value.trim()));
      fill(tokenPlace, address ? place : null);
    };
    challenge.addEventListener('change', showChallenge);
    file.addEventListener('input', showWalls);
    hub.addEventListener('input', showHub);
    showChallenge();
    showWalls();

    const order = (kind: 'try' | 'submit') => {
      const common = { kind, challenge: chosen().slug, file: file.value.trim() };
      const address = hub.value.trim();
      const mine = {
        phase: phase?.value ?? '', team: team.value.trim(), title: title.value.trim(), accepted: accepted.checked,
        hub: address, token: address ? (tokens.get(address) ?? '') : ''
      };
      if (kind === 'submit' && !address && !mine.team) {
        this._refuse(team, { what: 'whose submission is it?', wanted: 'the name of the team' });
        return;
      }
      if (kind === 'submit' && !accepted.checked) {
        this._refuse(accepted, { what: 'the terms of the phase are not accepted', wanted: 'the tick beside them' });
        return;
      }
      void this._do(async () => {
        if (common.file === this._path) {
          await this._save();
        }
        return this._follower.start({ path: this._path, ...common, ...(kind === 'try' ? {} : mine) });
      });
    };
    const tried = button('Try on the public twin', () => order('try'));
    const handed = button('Hand in', () => order('submit'));
    fill(
      this._body, challengePlace, about, filePlace, walls, el('div', { class: 'bb-line' }, tried),
      phasePlace, teamPlace, titlePlace, hubPlace, tokenPlace, terms, termsPlace, el('div', { class: 'bb-line' }, handed)
    );
  }

  /** Says what is missing, and goes to where it belongs. */
  private _refuse(at: HTMLElement, problem: IProblem): void {
    if (!this._follower.busy) {
      fill(this._shown);
      this._follower.fail(new Refusal(problem));
      at.focus();
    }
  }

  private async _do(begin: () => Promise<IJob | null>): Promise<void> {
    if (this._follower.busy) {
      return;
    }
    fill(this._shown);
    try {
      const job = await begin();
      if (job?.result) {
        fill(this._shown, ...(job.kind === 'try' ? outcome(job) : taken(job)));
        this._follower.say(job.kind === 'try' ? 'Tried.' : job.result.verdict ? 'Not taken in.' : 'Handed in.');
      }
    } catch (error) {
      this._follower.fail(error);
    }
  }
}

function outcome(job: IJob): HTMLElement[] {
  const said = job.result;
  const rows = Object.entries(said.scores ?? {}).map(([name, value]) => [el('code', {}, name), Number(value).toPrecision(4)]);
  return [
    el('p', {}, verdictMark(said.verdict), said.verdict === 'scored' ? ' It would be scored.' : ' It would get no score.'),
    ...problem(said.problem),
    ...(rows.length ? [table('Scores on the public twin', ['Metric', 'Score'], rows)] : [])
  ];
}

/** Why there is no score, as the receipt says it. */
interface IReason {
  what: string;
  cell: number | null;
  line: number | null;
  exception: string | null;
  source: string[];
  issues: string[];
}

function problem(found: IReason | null): HTMLElement[] {
  if (!found) {
    return [];
  }
  const where = [found.cell && `code cell ${found.cell}`, found.line && `line ${found.line}`, found.exception].filter(Boolean).join(', ');
  const issues = (found.issues ?? []).map(issue => el('li', {}, issue));
  const source = (found.source ?? []).join('\n');
  return [
    el(
      'div', { class: 'bb-problem' }, el('p', {}, found.what, where && ` (${where})`),
      issues.length > 0 && el('ul', {}, ...issues), source && el('pre', { class: 'bb-scroll' }, source)
    )
  ];
}

function taken(job: IJob): HTMLElement[] {
  const said = job.result;
  if (said.verdict) {
    return [el('p', {}, verdictMark(said.verdict), ` submission ${said.submission}`), ...problem(said.problem)];
  }
  const lines = [el('p', {}, 'Taken in as ', el('code', {}, said.id), said.team ? ` of ${said.team}, phase ${said.phase}` : '')];
  const page = pageOf(String(job.about.hub ?? ''), said.links?.page);
  return [
    ...lines,
    ...(said.state ? [el('p', {}, `${said.state}: ${said.why}`)] : []),
    ...(page ? [el('p', {}, el('a', { href: page, target: '_blank', rel: 'noopener noreferrer' }, 'Its page on the hub'))] : [])
  ];
}

/** Returns the address of a submission's page, on the hub that it was handed in to and no other. */
function pageOf(hub: string, path: unknown): string {
  try {
    const page = new URL(String(path ?? ''), hub);
    return path && page.origin === new URL(hub).origin && /^https?:$/.test(page.protocol) ? page.href : '';
  } catch {
    return '';
  }
}
