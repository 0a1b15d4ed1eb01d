// What went wrong, in words.

import { IProblem, Refusal, isOffline } from './api';
import { el } from './dom';

/** Returns an error as a box that screen readers say at once. */
export function problemBox(error: unknown): HTMLElement {
  return problemShown(problemOf(error));
}

/** Returns what an error says, whatever it is. */
export function problemOf(error: unknown): IProblem {
  if (error instanceof Refusal) {
    return error.problem;
  }
  return { what: isOffline(error) ? 'the server does not answer' : String((error as Error)?.message ?? error) };
}

/** Returns a problem: what, where, wanted, got, every finding, and what to do next. */
export function problemShown(problem: IProblem): HTMLElement {
  const issues = (problem.issues ?? []).map(issue => el('li', {}, sentence(issue)));
  return el(
    'div',
    { class: 'bb-problem', role: 'alert' },
    el('p', {}, sentence(problem)),
    issues.length > 0 && el('ul', {}, ...issues),
    problem.next ? el('p', { class: 'bb-help' }, 'Next: ', el('code', {}, problem.next)) : null
  );
}

function sentence(problem: IProblem): string {
  let text = problem.where ? `${problem.where}: ${problem.what}` : problem.what;
  const hint = /^(did you mean|none is known)/.test(problem.wanted ?? '');
  text += problem.wanted && !hint ? `; wanted ${problem.wanted}` : '';
  text += problem.got ? `; got ${problem.got}` : '';
  text += hint ? `; ${problem.wanted}` : '';
  return problem.where ? text : text.charAt(0).toUpperCase() + text.slice(1); // a file keeps its name
}
