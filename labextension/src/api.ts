// What is asked of the server: JupyterLab's own connection adds who asks and the XSRF token.

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

export interface IFinding {
  field: string;
  text: string;
}

export interface IField {
  name: string;
  type: string;
  widget: 'choice' | 'switch' | 'number' | 'text';
  choices: { value: unknown; text: string }[];
  default: unknown;
  text: string;
  unit: string | null;
  bounds: string;
  help: string;
}

export interface IForm {
  slug: string;
  title: string;
  abstract: string;
  kernel: string;
  datasets: string[];
  goals: { text: string; status: string }[];
  fields: IField[];
  values: Record<string, unknown>;
  source: string;
  identity: string;
  jobs: IJob[];
}

export interface IJob {
  id: string;
  kind: string;
  path: string;
  about: Record<string, unknown>;
  state: 'running' | 'stopping' | 'done' | 'failed' | 'stopped';
  seconds: number;
  progress: { title?: string; done?: number; total?: number; note?: string };
  said: string[];
  result: any;
  error: IProblem | null;
  version: number;
}

export interface IProblem {
  what: string;
  where?: string;
  wanted?: string;
  got?: string;
  next?: string;
  issues?: { what: string; where: string; wanted: string; got: string }[];
}

export interface IResult {
  name: string;
  kind: string;
  text: string;
  interval: string;
  alt?: string;
  files?: string[];
  titles?: string[];
  rows?: string[][];
  count?: number;
}

export interface IRun {
  id: string;
  notebook: string;
  title: string;
  verdict: string;
  failure: string;
  issues: string[];
  parameters: Record<string, unknown>;
  ended: string;
  seconds: number;
  identity: string;
  results: IResult[];
}

export interface IRunRow {
  id: string;
  verdict: string;
  ended: string;
  identity: string;
  parameters: Record<string, unknown>;
  results: string[];
}

export interface IDataset {
  slug: string;
  reference?: string;
  title: string;
  abstract?: string;
  license?: string;
  provenance?: string;
  sources?: { citation: string; doi: string }[];
  bytes?: number;
  files?: { path: string; bytes: number; columns: { name: string; type: string; unit: string; meaning: string }[] }[];
  count?: number;
  lines?: string[];
  error?: string;
}

export interface IPhase {
  id: string;
  title: string;
  terms: string;
  kinds: string[];
  state: string;
  opens: string;
  closes: string;
}

export interface IChallenge {
  slug: string;
  title: string;
  abstract?: string;
  error: string;
  opened?: boolean;
  phases: IPhase[];
}

export interface IAbout {
  version: string;
  binder: boolean;
  idle_min: number;
  hub: boolean;
}

/** What the server refuses, with its reasons; findings belong to fields of a form. */
export class Refusal extends Error {
  constructor(
    readonly problem: IProblem,
    readonly findings: IFinding[] = [],
    readonly away = false // a proxy answers, because the server does not
  ) {
    super(problem.what);
  }
}

const settings = ServerConnection.makeSettings();

/** Returns the address of something of ours on the server. */
export function address(path: string, query: Record<string, string> = {}): string {
  const found = URLExt.join(settings.baseUrl, 'api/braggbook', path);
  return Object.keys(query).length ? found + URLExt.objectToQueryString(query) : found;
}

/** Returns the address of the hub, which jupyter-server-proxy serves. */
export function hubAddress(): string {
  return URLExt.join(settings.baseUrl, 'braggbook/');
}

async function respond(path: string, query: Record<string, string>, init: RequestInit): Promise<Response> {
  const response = await ServerConnection.makeRequest(address(path, query), init, settings);
  if (response.ok) {
    return response;
  }
  let said: any = null;
  try {
    said = await response.json();
  } catch {
    // a proxy's page
  }
  if (said && typeof said.what === 'string') {
    throw new Refusal(said, said.findings ?? []);
  }
  throw strange(response, said?.message);
}

/** Returns what an answer means that is none of ours. */
function strange(response: Response, got?: string): Refusal {
  if (response.status === 404) {
    const what = 'JupyterLab’s server does not know the panel';
    return new Refusal({ what, wanted: 'Braggbook in the environment that the server runs in', next: 'jupyter server extension list' });
  }
  const what = `the server refuses (${response.status} ${response.statusText})`;
  return new Refusal(got ? { what, got } : { what }, [], [502, 503, 504].includes(response.status));
}

/** Asks for something. */
export async function get<T>(path: string, query: Record<string, string> = {}): Promise<T> {
  return (await respond(path, query, { method: 'GET', cache: 'no-store' })).json();
}

/** Sends something. */
export async function post<T>(path: string, body: unknown, query: Record<string, string> = {}): Promise<T> {
  const init = { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
  return (await respond(path, query, init)).json();
}

/** Stops something. */
export async function remove<T>(path: string): Promise<T> {
  return (await respond(path, {}, { method: 'DELETE' })).json();
}

/** Fetches a picture as an address that only this page knows. */
export async function picture(path: string, query: Record<string, string>): Promise<string> {
  return URL.createObjectURL(await (await respond(path, query, { method: 'GET' })).blob());
}

/** Tells whether an error means that the server could not be reached, and may be again. */
export function isOffline(error: unknown): boolean {
  return error instanceof ServerConnection.NetworkError || (error instanceof Refusal && error.away);
}
