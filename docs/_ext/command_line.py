"""Writes the reference of the command line from the commands themselves, so that it cannot say anything else.

```{verb} dataset add
```

becomes the usage line, the help and a table of every argument and option of ``braggbook dataset add``; ``{verb}``
alone that of ``braggbook`` itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from braggbook.cli.main import main

PROGRAM = "braggbook"


def find_verb(words: list[str]) -> tuple[click.Command, click.Context]:
    """Returns the command of a verb (``["dataset", "add"]``) and a context that knows its whole name."""
    command: click.Command = main
    context = click.Context(main, info_name=PROGRAM, **main.context_settings)
    for word in words:
        found = command.get_command(context, word) if isinstance(command, click.Group) else None
        if found is None:
            raise LookupError(f"no verb {' '.join(words)!r}")
        command, context = found, click.Context(found, info_name=word, parent=context)
    return command, context


def all_verbs() -> Iterator[list[str]]:
    """Yields the words of every verb, those of groups included."""
    yield from _below([], main)


def _below(words: list[str], command: click.Command) -> Iterator[list[str]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield [*words, name]
            yield from _below([*words, name], found)


def option_rows(words: list[str]) -> list[tuple[str, str]]:
    """Returns every option of a verb as it is typed, with its help, default and range."""
    command, context = find_verb(words)
    options = (parameter for parameter in command.get_params(context) if isinstance(parameter, click.Option))
    records = (option.get_help_record(context) for option in options)
    return [(option, text) for option, text in filter(None, records)]


def usage(words: list[str]) -> str:
    """Returns how a verb is called, on one line."""
    command, context = find_verb(words)
    return " ".join([PROGRAM, *words, *command.collect_usage_pieces(context)])


def help_paragraphs(words: list[str]) -> list[str]:
    """Returns a verb's help; a paragraph that keeps its lines begins with a backspace, as click has it."""
    command, _ = find_verb(words)
    return [part.strip("\n ") for part in (command.help or "").split("\n\n") if part.strip()]


class VerbDirective(Directive):
    """Shows one verb."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Returns usage, help and options as nodes."""
        words = self.arguments[0].split() if self.arguments else []
        try:
            shown: list[nodes.Node] = [nodes.literal_block(usage(words), usage(words), language="text")]
        except LookupError as error:
            raise self.error(str(error)) from None
        for text in help_paragraphs(words):
            if text.startswith("\b"):
                lines = text.strip("\b\n")
                shown.append(nodes.literal_block(lines, lines, language="text"))
            else:
                shown.append(nodes.paragraph("", " ".join(text.split())))
        return [*shown, _table(option_rows(words))]


def _table(rows: list[tuple[str, str]]) -> nodes.table:
    group = nodes.tgroup(cols=2)
    group += [nodes.colspec(colwidth=40), nodes.colspec(colwidth=60)]
    head, body = nodes.thead(), nodes.tbody()
    head += _row(nodes.paragraph("", "option"), nodes.paragraph("", "meaning"))
    for option, text in rows:
        name = nodes.paragraph()
        name += nodes.literal(option, option)
        body += _row(name, nodes.paragraph("", text))
    group += [head, body]
    table = nodes.table()
    table += group
    return table


def _row(*cells: nodes.paragraph) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        entry = nodes.entry()
        entry += cell
        row += entry
    return row


def setup(app: Sphinx) -> dict[str, bool]:
    """Makes the directive known to Sphinx."""
    app.add_directive("verb", VerbDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
