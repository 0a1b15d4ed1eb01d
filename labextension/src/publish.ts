// Publishing a run: the plan is shown first, then sent as a draft, then published for good.

import { IJob, IRun } from './api';
import { button, choice, el, field, fill, size, table, tick } from './dom';
import { Follower } from './follow';

const OTHER = 'other';
const ARCHIVES: [string, string][] = [
  ['folder', 'the folder archive of this machine'],
  ['zenodo_sandbox', 'Zenodo’s sandbox, to try'],
  ['zenodo', 'Zenodo'],
  [OTHER, 'another archive, by its address']
];
const STEPS: Record<string, string> = {
  begun: 'Nothing is there yet.',
  drafted: 'A draft without all its files.',
  uploaded: 'A draft, complete; only you can see it.',
  publishing: 'Being published; nobody has seen the end of it.',
  published: 'Published, not yet read back.',
  checked: 'Published, and read back identical.'
};
const MOST_MEMBERS = 40;
const tokens = new Map<string, string>(); // of this page alone: gone when it is closed or loaded again

interface IDeposit {
  step: string;
  doi: string | null;
  url: string | null;
}

/** The part of the panel that publishes a run. */
export class Publish {
  readonly node = el('details', { class: 'bb-part' }, el('summary', {}, 'Publish'));
  private readonly _follower: Follower;
  private readonly _shown = el('div');
  private readonly _tokenPlace = el('div');
  private readonly _where: HTMLSelectElement;
  private readonly _addressPlace: HTMLElement;
  private readonly _address: HTMLInputElement;
  private _digest = '';

  constructor(
    private readonly _run: IRun,
    private readonly _path: string,
    isAlive: () => boolean
  ) {
    this._follower = new Follower(isAlive);
    const [place, where] = choice('Where to', ARCHIVES);
    this._where = where;
    where.addEventListener('change', () => this._chosen());
    const help = 'Of a server that speaks Zenodo’s deposit interface; “invenio+https://…” for InvenioRDM’s own.';
    [this._addressPlace, this._address] = field('Address', { placeholder: 'https://', inputmode: 'url', spellcheck: 'false' }, help);
    this._address.addEventListener('input', () => this._chosen());
    this._addressPlace.hidden = true;
    this.node.append(place, this._addressPlace, this._tokenPlace, button('Show the plan', () => void this._plan()), this._follower.node, this._shown);
  }

  /** Where to, as the command line calls it. */
  private get _to(): string {
    return this._where.value === OTHER ? this._address.value.trim() : this._where.value;
  }

  /** Goes on with a job that was begun before this page was loaded. */
  resume(job: IJob): void {
    const to = String(job.about.to);
    const known = ARCHIVES.some(([name]) => name === to);
    this._where.value = known ? to : OTHER;
    this._address.value = known ? '' : to;
    this._chosen();
    this._digest = String(job.about.digest ?? '');
    this.node.open = true;
    void this._do(() => this._follower.follow(job)).then(ended => this._ended(ended));
  }

  private _chosen(): void {
    this._addressPlace.hidden = this._where.value !== OTHER;
    fill(this._shown);
    this._digest = '';
    this._follower.clear();
    this._askToken();
  }

  /** Asks for a token once; it is kept in the memory of this page, and never stored. */
  private _askToken(): void {
    const archive = this._to;
    if (archive === 'folder' || !archive) {
      fill(this._tokenPlace);
      return;
    }
    if (tokens.has(archive)) {
      const forget = () => {
        tokens.delete(archive);
        this._askToken();
      };
      fill(this._tokenPlace, el('p', { class: 'bb-help' }, 'The token is kept until this page is closed. ', button('Forget it', forget, { class: 'bb-link' })));
      return;
    }
    const help = 'Kept in the memory of this page until it is closed; never stored.';
    const [node, input] = field('Token', { type: 'password', autocomplete: 'off' }, help);
    input.addEventListener('change', () => {
      if (input.value.trim()) {
        tokens.set(archive, input.value.trim());
      }
    });
    fill(this._tokenPlace, node);
  }

  private async _plan(): Promise<void> {
    fill(this._shown);
    this._ended(await this._begin({ kind: 'plan', to: this._to }));
  }

  private _ended(job: IJob | null): void {
    if (job?.result && job.kind === 'plan') {
      this._digest = job.result.digest;
      this._follower.say('This is what would be sent. Nothing has been sent.');
      const { deposit } = job.result;
      const step = deposit && el('p', {}, STEPS[deposit.step] ?? deposit.step);
      fill(this._shown, ...planShown(job.result), step, ...this._next(deposit));
    } else if (job?.result) {
      this._follower.say(STEPS[job.result.step] ?? job.result.step);
      fill(this._shown, ...this._next(job.result));
    }
  }

  /** Shows where a deposit is, and what can be done next. */
  private _next(deposit: IDeposit | null): HTMLElement[] {
    const known = deposit ? depositShown(deposit) : [];
    if (deposit?.step === 'checked') {
      return known;
    }
    const mint = button('Publish for good', () => void this._send('mint'), { disabled: true });
    const [sure, box] = tick('I have read the plan, and know that a DOI cannot be taken back.', () => {
      mint.disabled = !box.checked;
    });
    const draft = button('Send as a draft', () => void this._send('push'));
    return [...known, el('div', { class: 'bb-next' }, draft, sure, mint)];
  }

  private async _send(kind: 'push' | 'mint'): Promise<void> {
    const archive = this._to;
    this._ended(await this._begin({ kind, to: archive, digest: this._digest, token: tokens.get(archive) ?? '' }));
    this._askToken(); // kept, or to be forgotten where it was not the right one
  }

  private _begin(order: Record<string, unknown>): Promise<IJob | null> {
    return this._do(() => this._follower.start({ path: this._path, run: this._run.id, ...order }));
  }

  private async _do(begin: () => Promise<IJob | null>): Promise<IJob | null> {
    if (this._follower.busy) {
      return null;
    }
    [this._where.disabled, this._address.disabled] = [true, true];
    try {
      return await begin();
    } catch (error) {
      this._follower.fail(error);
      return null;
    } finally {
      [this._where.disabled, this._address.disabled] = [false, false];
    }
  }
}

function depositShown({ doi, url }: IDeposit): HTMLElement[] {
  const link = /^https?:\/\//.test(url ?? '') ? el('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, url) : url;
  const lines = [doi && el('p', {}, 'DOI ', el('code', {}, doi)), link && el('p', {}, link)];
  return lines.filter((line): line is HTMLParagraphElement => line instanceof HTMLElement);
}

function planShown(plan: any): HTMLElement[] {
  const said = plan.metadata;
  const people = said.creators.map((one: any) => one.name).join('; ');
  const facts: [string, string][] = [
    ['Title', said.title], ['Creators', people], ['Licence', said.license], ['Version', said.version],
    ['Keywords', said.keywords.join(', ')], ['Kind', `${plan.kind}, as ${said.resource_type}`],
    ['File', plan.files.map((file: any) => `${file.name}, ${size(file.bytes)}`).join('; ')], ['Digest', plan.digest]
  ];
  const rows = facts.filter(([, value]) => value).flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]);
  const inside = plan.members.slice(0, MOST_MEMBERS).map((one: any) => [el('code', {}, one.name), size(one.bytes)]);
  const more = plan.members.length - inside.length;
  return [
    el('dl', { class: 'bb-facts' }, ...rows),
    el('details', {}, el('summary', {}, `What is in it: ${plan.members.length} files`), table('Files in the zip', ['File', 'Size'], inside), more > 0 ? `and ${more} more` : ''),
    ...plan.missing.map((text: string) => el('p', { class: 'bb-help' }, `Would be good to have: ${text}`))
  ];
}
