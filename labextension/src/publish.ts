// Publishing a run: the plan is shown first, then sent as a draft, then published for good.

import { IJob, IRun } from './api';
import { button, choice, el, field, fill, size, table, tick } from './dom';
import { Follower } from './follow';

const ARCHIVES: [string, string][] = [
  ['folder', 'the folder archive of this machine'],
  ['zenodo_sandbox', 'Zenodo’s sandbox, to try'],
  ['zenodo', 'Zenodo']
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

/** The part of the panel that publishes a run. */
export class Publish {
  readonly node = el('details', { class: 'bb-part' }, el('summary', {}, 'Publish'));
  private readonly _follower = new Follower(() => this.node.isConnected);
  private readonly _shown = el('div');
  private readonly _tokenPlace = el('div');
  private readonly _where: HTMLSelectElement;
  private _digest = '';

  constructor(
    private readonly _run: IRun,
    private readonly _path: string
  ) {
    const [place, where] = choice('Where to', ARCHIVES);
    this._where = where;
    where.addEventListener('change', () => this._chosen());
    this.node.append(place, this._tokenPlace, button('Show the plan', () => void this._plan()), this._follower.node, this._shown);
  }

  private _chosen(): void {
    fill(this._shown);
    this._digest = '';
    this._follower.clear();
    this._askToken();
  }

  /** Asks for a token once; it is kept in the memory of this page, and never stored. */
  private _askToken(): void {
    const archive = this._where.value;
    if (archive === 'folder') {
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
    const job = await this._do({ kind: 'plan', run: this._run.id, to: this._where.value });
    if (job?.result) {
      this._digest = job.result.digest;
      this._follower.say('This is what would be sent. Nothing has been sent.');
      fill(this._shown, ...planShown(job.result), this._next(job.result.deposit?.step));
    }
  }

  private _next(step: string | undefined): HTMLElement {
    if (step === 'checked') {
      return el('p', {}, 'It has been published already, as it is.');
    }
    const mint = button('Publish for good', () => void this._send('mint'), { disabled: true });
    const [sure, box] = tick('I have read the plan, and know that a DOI cannot be taken back.', () => {
      mint.disabled = !box.checked;
    });
    const draft = button('Send as a draft', () => void this._send('push'));
    return el('div', { class: 'bb-next' }, draft, sure, mint);
  }

  private async _send(kind: 'push' | 'mint'): Promise<void> {
    const archive = this._where.value;
    const order = { kind, run: this._run.id, to: archive, digest: this._digest, token: tokens.get(archive) ?? '' };
    const job = await this._do(order);
    this._askToken();
    if (job?.result) {
      const { step, doi, url } = job.result;
      this._follower.say(STEPS[step] ?? step);
      const link = /^https?:\/\//.test(url ?? '') ? el('a', { href: url, target: '_blank', rel: 'noopener noreferrer' }, url) : url;
      const lines = [el('p', {}, STEPS[step] ?? step), doi && el('p', {}, 'DOI ', el('code', {}, doi)), link && el('p', {}, link)];
      fill(this._shown, ...lines, step === 'checked' ? null : this._next(step));
    }
  }

  private async _do(order: Record<string, unknown>): Promise<IJob | null> {
    if (this._follower.busy) {
      return null;
    }
    try {
      return await this._follower.start({ path: this._path, ...order });
    } catch (error) {
      this._follower.fail(error);
      return null;
    }
  }
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
