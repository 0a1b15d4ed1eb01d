// The side panel: what it shows of the notebook that is open.

import { JupyterFrontEnd } from '@jupyterlab/application';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { IAbout, get } from './api';
import { button, el, fill } from './dom';
import { NotebookView } from './view';

const READY = 'braggbook-panel-ready'; // a mark of the browser's own clock, read by the tests

/** The panel at the right. */
export class NotebookPanelSide extends Widget {
  private readonly _views = new WeakMap<NotebookPanel, NotebookView>();
  private readonly _body = el('div', { class: 'bb-body' });
  private readonly _session = el('div', { class: 'bb-session' });

  constructor(
    private readonly _tracker: INotebookTracker,
    private readonly _app: JupyterFrontEnd,
    openHub: () => void
  ) {
    super();
    this.addClass('bb-panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Braggbook');
    const footer = el('div', { class: 'bb-footer' });
    this.node.append(this._session, this._body, footer);
    _tracker.currentChanged.connect(() => void this._show());
    void this._show();
    void get<IAbout>('about').then(about => {
      fill(footer, about.hub ? button('Open the hub', openHub) : null, el('span', { class: 'bb-help' }, `Braggbook ${about.version}`));
      fill(this._session, about.binder && binderNote(about));
    }, () => undefined);
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node.querySelector<HTMLElement>('input, select, button')?.focus();
  }

  private async _show(): Promise<void> {
    const current = this._tracker.currentWidget;
    if (!current) {
      fill(this._body, el('p', { class: 'bb-help bb-empty' }, 'Open a notebook: its parameters, runs and results stand here.'));
      return;
    }
    let view = this._views.get(current);
    if (!view) {
      view = new NotebookView(current, this._app);
      this._views.set(current, view);
      current.disposed.connect(() => view?.dispose());
    }
    fill(this._body, view.node);
    await view.ready;
    if (this._tracker.currentWidget === current) {
      performance.mark(READY);
    }
  }
}

function binderNote(about: IAbout): HTMLElement {
  return el(
    'p',
    { class: 'bb-note', role: 'note' },
    `This is a session of Binder. It ends after about ${about.idle_min} minutes without work in it, and everything in it is gone. ` +
      'Take your runs away in time: “Download” below a run, and File → Download for the notebook.'
  );
}
