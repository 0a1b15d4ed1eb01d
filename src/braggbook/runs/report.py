"""The report of a run: one HTML file that opens from disk and asks nothing of any network."""

from __future__ import annotations

import base64
import html
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import jinja2
import nh3
from latex2mathml.converter import convert as latex_to_mathml
from markdown_it import MarkdownIt
from markupsafe import Markup
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from braggbook.files import write_text
from braggbook.formats.result import MIME, FigureResult, ScalarResult, TableResult, constants_of
from braggbook.formats.run import RunRecord
from braggbook.notebooks.show import as_text, interval_text, number_text, quantity_text, table_html
from braggbook.notebooks.source import PARAMETERS_TAG, Notebook, split_front
from braggbook.runs.execute import Execution
from braggbook.runs.links import binder_link, doi_link

REPORT = "report.html"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_EMBEDDED = re.compile(r"data:image/(png|jpeg|gif);base64,")
_LONGEST_TEXT = 20_000  # characters of one text output; the executed notebook has the whole
_FORMATTER = HtmlFormatter(nowrap=True)
_ALLOWED_TAGS = nh3.ALLOWED_TAGS | {
    "table",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "th",
    "td",
    "caption",
    "figure",
    "figcaption",
}


def write_report(folder: Path, notebook: Notebook, record: RunRecord, execution: Execution) -> None:
    """Writes ``report.html`` into a run's folder."""
    specs = notebook.front.braggbook.results
    declared = list(specs)
    results = dict(sorted(execution.results.items(), key=lambda item: _place(item[0], declared)))
    page = _template().render(
        front=notebook.front,
        record=record,
        doi_link=doi_link(record.doi) if record.doi else None,
        binder_link=binder_link(record.doi) if record.doi else None,
        parameters=[_parameter(item, record.parameters[item.name]) for item in notebook.parameters.items],
        scalars=[_scalar(r, specs) for r in results.values() if isinstance(r, ScalarResult)],
        figures=[(r, Markup(_inline_svg(r))) for r in results.values() if isinstance(r, FigureResult)],
        tables=[
            (r.name, _help(specs, r.name), _rows(r), Markup(table_html(r)))
            for r in results.values()
            if isinstance(r, TableResult)
        ],
        goals=[
            (goal, [as_text(results[name]) for name in goal.answered_by if name in results])
            for goal in notebook.front.braggbook.goals
        ],
        abstract=Markup(markdown(notebook.front.abstract or "")),
        cells=[Markup(cell) for cell in _cells(execution.node, record)],
        failure=record.failure,
        constants=constants_of(results),
    )
    write_text(folder / REPORT, page)


@cache  # compiling it takes longer than all the rest of a report
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("braggbook.runs", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")


def _place(name: str, declared: list[str]) -> int:
    return declared.index(name) if name in declared else len(declared)


def _parameter(item: Any, value: Any) -> dict[str, Any]:
    schema = item.schema
    return {
        "name": item.name,
        "value": value,
        "unit": item.spec.unit,
        "help": schema.get("description", ""),
        "default": schema.get("default"),
    }


def _rows(table: TableResult) -> int:
    return len(table.columns[0].values) if table.columns else 0


def _help(specs: Any, name: str) -> str:
    return specs[name].help if name in specs else ""


def _scalar(result: ScalarResult, specs: Any) -> dict[str, str]:
    return {
        "name": result.name,
        "quantity": quantity_text(result),
        "exact": number_text(result.value, 17),
        "interval": interval_text(result),
        "help": _help(specs, result.name),
    }


def markdown(text: str) -> str:
    """Returns Markdown as HTML: raw HTML in it is shown, not obeyed, and formulas become MathML."""
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.add_render_rule("image", _picture)
    parser.use(dollarmath_plugin, renderer=_formula, allow_space=False, double_inline=True)
    return str(parser.render(text))


def _picture(renderer: Any, tokens: Any, index: int, *_: Any) -> str:
    """Returns an embedded picture as it is, and one from elsewhere by its words: the report asks no network."""
    token = tokens[index]
    alt = html.escape(renderer.renderInlineAsText(token.children or [], {}, {}))
    source = str(token.attrGet("src") or "")
    return f'<img alt="{alt}" src="{html.escape(source)}">' if _EMBEDDED.match(source) else f"[picture: {alt}]"


def _embedded_only(tag: str, attribute: str, value: str) -> str | None:
    return value if (tag, attribute) != ("img", "src") or _EMBEDDED.match(value) else None


def _formula(source: str, options: dict[str, Any]) -> str:
    try:
        return str(latex_to_mathml(source, display="block" if options.get("display_mode") else "inline"))
    except Exception:  # latex2mathml raises many classes; the source itself is still readable
        return f"<code>{html.escape(source)}</code>"


def _inline_svg(result: FigureResult) -> str:
    alt = result.alt or result.name
    return (
        _as_image(result.svg, alt)
        if result.svg
        else f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{result.png}">'
    )


def _as_image(svg: str, alt: str) -> str:
    """Returns a drawing as an image; as an image, nothing in it can run or reach out."""
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{data}">'


def _cells(node: Any, record: RunRecord) -> list[str]:
    shown = []
    status = {cell.index: cell.status for cell in record.cells}
    for index, cell in enumerate(node.cells):
        if cell.cell_type == "markdown":
            prose = split_front(cell.source)[1] if index == 0 else cell.source
            shown.append(f'<section class="prose">{markdown(prose)}</section>' if prose.strip() else "")
        elif cell.cell_type == "code":
            shown.append(_code_cell(cell, status.get(index, "not run")))
    return shown


def _code_cell(cell: Any, status: str) -> str:
    title = "parameters" if PARAMETERS_TAG in cell.metadata.get("tags", []) else f"code · {status}"
    mark = "" if status == "complete" else ' class="bad"'
    code = f"<summary{mark}>{title}</summary><pre><code>{code_html(cell.source)}</code></pre>"
    code = f"<details{' open' if mark else ''}>{code}</details>"
    outputs = "".join(_output(output) for output in cell.get("outputs", []))
    return f'<section class="cell">{code}{outputs}</section>'


@lru_cache(maxsize=1024)  # the points of a sweep have the same cells
def code_html(source: str, language: str = "python") -> str:
    """Returns source code as HTML with classes for its colours."""
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return html.escape(source)
    return str(highlight(source, lexer, _FORMATTER))


def _output(output: Any) -> str:
    if output.output_type == "stream":
        return _text(output.text, "stderr" if output.name == "stderr" else "")
    if output.output_type == "error":
        return _text("\n".join(output.traceback), "error")
    data = output.get("data", {})
    if MIME in data and data[MIME].get("kind") == "figure":
        name = html.escape(str(data[MIME].get("name")))
        return f'<p class="declared">figure <a href="#result-{name}">{name}</a>, shown above</p>'
    if "text/html" in data:
        return f'<div class="output">{_cleaned("".join(data["text/html"]))}</div>'
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            encoded = re.sub(r"[^A-Za-z0-9+/=]", "", "".join(data[kind]))
            return f'<img alt="output of this cell" src="data:{kind};base64,{encoded}">'
    if "image/svg+xml" in data:
        return _as_image("".join(data["image/svg+xml"]), "output of this cell")
    if "text/markdown" in data:
        return f'<div class="output">{markdown("".join(data["text/markdown"]))}</div>'
    return _text("".join(data.get("text/plain", "")))


def _cleaned(text: str) -> str:
    schemes = {"data", "http", "https", "mailto"}
    classes = {"td": {"number"}, "th": {"number"}}  # of the tables that bb.result shows
    return str(
        nh3.clean(
            text, tags=_ALLOWED_TAGS, url_schemes=schemes, attribute_filter=_embedded_only, allowed_classes=classes
        )
    )


def _text(text: str, kind: str = "") -> str:
    text = _ANSI.sub("", "".join(text))
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}\n… {len(text) - _LONGEST_TEXT} more characters in executed.ipynb"
    return f'<pre class="output {kind}">{html.escape(text)}</pre>' if text.strip() else ""
