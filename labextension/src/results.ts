// A run: how it ended, its numbers with unit and interval, its figures and tables.

import { IResult, IRun, picture } from './api';
import { Child, el, table } from './dom';

const SHOWN: Record<string, string> = {
  complete: 'Complete', failed: 'Failed', 'timed out': 'Timed out', killed: 'Killed', interrupted: 'Stopped'
};

/** Returns how a run ended, as a word with a mark that needs no colour. */
export function verdictMark(verdict: string): HTMLElement {
  const good = verdict === 'complete' || verdict === 'identical' || verdict === 'within tolerance' || verdict === 'scored';
  const word = SHOWN[verdict] ?? verdict.charAt(0).toUpperCase() + verdict.slice(1);
  return el('span', { class: `bb-verdict ${good ? 'bb-good' : 'bb-bad'}` }, `${good ? '✓' : '✗'} ${word}`);
}

/** Returns parameters as people type them. */
export function parametersText(parameters: Record<string, unknown>): string {
  const shown = Object.entries(parameters).map(([name, value]) => `${name} = ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return shown.join(', ') || 'no parameters';
}

/** Returns a moment in the words of this browser's language. */
export function moment(text: string): string {
  const when = new Date(text);
  return Number.isNaN(when.getTime()) ? text : when.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

/** Returns whether a run is of another state of its notebook than the one that is shown now. */
export function isOlder(run: { identity: string }, now: string): boolean {
  return now !== '' && run.identity !== now;
}

/** Returns a run as the panel shows it. */
export function runShown(run: IRun, path: string): HTMLElement {
  const scalars = run.results.filter(one => one.kind === 'scalar');
  const others = run.results.filter(one => one.kind !== 'scalar');
  return el(
    'div',
    { class: 'bb-run' },
    el('p', {}, verdictMark(run.verdict), ` ${moment(run.ended)}, ${run.seconds.toFixed(1)} s in its cells`),
    run.failure ? el('p', { class: 'bb-problem' }, run.failure) : null,
    run.issues.length > 0 && el('ul', { class: 'bb-problem' }, ...run.issues.map(issue => el('li', {}, issue))),
    el('p', { class: 'bb-help' }, parametersText(run.parameters)),
    run.verdict !== 'complete' && run.results.length > 0 && el('p', { class: 'bb-help' }, 'Recorded before it ended; the rest of the notebook was not executed.'),
    scalars.length > 0 && table('Results', ['Result', 'Value', 'Interval'], scalars.map(scalarRow)),
    ...others.map(one => otherShown(one, run, path))
  );
}

function scalarRow(result: IResult): Child[] {
  return [el('code', {}, result.name), result.text, result.interval];
}

function otherShown(result: IResult, run: IRun, path: string): HTMLElement {
  const name = el('code', {}, result.name);
  const file = result.files?.[0];
  if (result.kind === 'figure' && file) {
    const image = el('img', { alt: result.alt || result.name });
    void picture(`runs/${run.id}/figures/${file}`, { path })
      .then(url => {
        image.addEventListener('load', () => URL.revokeObjectURL(url), { once: true });
        image.src = url;
      })
      .catch(() => image.replaceWith('The figure cannot be fetched.'));
    return el('figure', { class: 'bb-figure' }, image, el('figcaption', {}, name));
  }
  if (result.kind === 'table' && result.rows && result.titles) {
    const more = (result.count ?? 0) - result.rows.length;
    const shown = table(result.name, result.titles, result.rows);
    return el('div', {}, el('h4', {}, name), shown, more > 0 ? el('p', { class: 'bb-help' }, `and ${more} more rows`) : null);
  }
  return el('p', {}, name, `: ${result.text}`);
}
