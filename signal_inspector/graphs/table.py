"""The graph as a table: the same for those who do not look at pictures, and for paper."""

from __future__ import annotations

from collections.abc import Iterable

from signal_inspector.catalog.graph_records import Graph
from signal_inspector.graphs.drawing import connection_words, known_words
from signal_inspector.graphs.svg import text
from signal_inspector.graphs.wording import shown_place


def as_table(graph: Graph) -> str:
    """Rows of a table: signal, who sends it, who receives it in order, what follows."""
    rows = []
    for signal in graph.signals:
        sent = [
            (each.function, f"{each.method} at {shown_place(each.path, each.line)}")
            for each in graph.sendings
            if each.signal == signal.name
        ]
        sent += [
            (each.receiver, known_words(each))
            for each in graph.sendings_on
            if each.signal == signal.name
        ]
        received = [
            (each.receiver, connection_words(each, with_order=False))
            for each in graph.receivings
            if each.signal == signal.name
        ]
        receivers = {name for name, _ in received}
        follows = [
            (each.signal, f"sent by {each.receiver}")
            for each in graph.sendings_on
            if each.receiver in receivers
        ]
        place = shown_place(signal.path, signal.line)
        rows.append(
            f'<tr><th scope="row">{_name(signal.name)}<small>{text(place)}</small></th>'
            f"<td>{_list(sent, 'nobody, as far as the code tells')}</td>"
            f"<td>{_list(received, 'nobody', 'ol')}</td><td>{_list(follows, '–')}</td></tr>\n"
        )
    return "".join(rows)


def _list(items: Iterable[tuple[str, str]], nothing: str, tag: str = "ul") -> str:
    lines = [
        f"<li>{_name(name)}{f'<small>{text(words)}</small>' if words else ''}</li>"
        for name, words in items
    ]
    return (
        f"<{tag}>{''.join(lines)}</{tag}>"
        if lines
        else f'<span class="none">{text(nothing)}</span>'
    )


def _name(name: str) -> str:
    """A dotted name that may be broken after each dot."""
    return f"<code>{text(name).replace('.', '.<wbr>')}</code>"
