// The plugin: a panel for the open notebook, a browser of datasets, the hub in a tab.

import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, IFrame, MainAreaWidget } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { LabIcon } from '@jupyterlab/ui-components';

import { hubAddress } from './api';
import { el } from './dom';
import { DataPanel } from './data';
import { NotebookPanelSide } from './panel';

const CURVE =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path class="jp-icon3" d="M4 21c7-.3 11.5-1.2 14.5-5 ' +
  '1.7-2.2 2.3-8.5 3.5-8.5s1.3 13 2.3 16.5c.4 1 1.7 1 3.7 1" fill="none" stroke="#616161" class="bb-icon" ' +
  'stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/></svg>';
const icon = new LabIcon({ name: 'braggbook:panel', svgstr: CURVE.replace('class="jp-icon3" ', '') });
const dataIcon = new LabIcon({
  name: 'braggbook:data',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><g fill="none" stroke="#616161" class="bb-icon" ' +
    'stroke-width="2.5"><ellipse cx="16" cy="8" rx="10" ry="4"/><path d="M6 8v16c0 2.2 4.5 4 10 4s10-1.8 10-4V8"/>' +
    '<path d="M6 16c0 2.2 4.5 4 10 4s10-1.8 10-4"/></g></svg>'
});

const SHOW = 'braggbook:show';
const DATA = 'braggbook:data';
const HUB = 'braggbook:hub';
const HUB_MAY: IFrame.SandboxExceptions[] = [
  'allow-same-origin', 'allow-scripts', 'allow-forms', 'allow-popups', 'allow-downloads', 'allow-modals'
];

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'braggbook:plugin',
  description: 'Run, verify, publish and hand in the open notebook.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ) => {
    const hub = () => void app.commands.execute(HUB);
    const panel = new NotebookPanelSide(tracker, app, hub);
    panel.id = 'braggbook-panel';
    panel.title.icon = icon;
    panel.title.caption = 'Braggbook: run, verify, publish';
    app.shell.add(panel, 'right', { rank: 100 });

    const data = new DataPanel(tracker);
    data.id = 'braggbook-data';
    data.title.icon = dataIcon;
    data.title.caption = 'Braggbook: datasets';
    app.shell.add(data, 'left', { rank: 600 });

    app.commands.addCommand(SHOW, { label: 'Braggbook: Show the Panel', execute: () => app.shell.activateById(panel.id) });
    app.commands.addCommand(DATA, { label: 'Braggbook: Browse Datasets', execute: () => app.shell.activateById(data.id) });
    app.commands.addCommand(HUB, { label: 'Braggbook: Open the Hub', execute: () => openHub(app) });
    restorer?.add(panel, panel.id);
    restorer?.add(data, data.id);
    [SHOW, DATA, HUB].forEach(command => palette?.addItem({ command, category: 'Braggbook' }));
  }
};

function openHub(app: JupyterFrontEnd): void {
  const id = 'braggbook-hub';
  for (const widget of app.shell.widgets('main')) {
    if (widget.id === id) {
      app.shell.activateById(id);
      return;
    }
  }
  const content = new IFrame({ sandbox: HUB_MAY });
  content.url = hubAddress();
  const waits = el('p', { class: 'bb-help bb-waits', role: 'status' }, 'The hub is starting; the first time this takes some seconds.');
  const frame = content.node.querySelector('iframe');
  frame?.setAttribute('title', 'The hub');
  frame?.addEventListener('load', () => waits.remove());
  content.node.append(waits);
  const widget = new MainAreaWidget({ content });
  widget.id = id;
  widget.title.label = 'Hub';
  widget.title.icon = icon;
  widget.title.closable = true;
  app.shell.add(widget, 'main');
}

export default plugin;
