"""The examples of one tag. Each line that is wrong is reported at its place, and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.example_text import read_given, read_then
from processors.rules.key_reader import KeyReader
from processors.rules.sorts import Sort
from processors.rules.suggest import did_you_mean
from processors.rules.yaml_nodes import Mapping
from schemas.errors import RuleError

_Line = TypeVar("_Line")


class ExampleReader(KeyReader):
    """Also reads the examples."""

    def _examples(self, sort: Sort, levels: tuple[str, ...]) -> Iterator[T.Example]:
        """Examples of a tag with values of this sort, which are `levels` if they are names."""
        node = self._get("examples")
        items = self._sequence(node, "`examples`")
        if node is not None and len(items) > limits.MAX_EXAMPLES:
            self._report("TS-R508", f"The tag has {len(items)} examples; {limits.MAX_EXAMPLES} is the most", node)
            return
        for item in items:
            if not isinstance(item, Mapping):
                self._report("TS-R304", "An example must be a map of given and then", item)
                continue
            for key, (place, _) in item.items.items():
                if key not in ("given", "then"):
                    cure = did_you_mean(key, ("given", "then"))
                    self._report("TS-R305", f"An example has no key `{key}`", place, cure)
            for key in ("given", "then"):
                if key not in item.items:
                    cure = "Write then: [] if no change is expected" if key == "then" else "Add the events"
                    self._report("TS-R307", f"The key `{key}` of the example is missing", item, cure)
            given = self._lines(item, "given", read_given)
            then = self._lines(item, "then", lambda text: read_then(text, sort, levels))
            yield T.Example(tuple(given), tuple(then), self._source.line_of(item.start))

    def _lines(self, example: Mapping, key: str, read: Callable[[str], _Line]) -> list[_Line]:
        """The lines of `given` or `then`, each read by `read`; the faulty ones are reported and left out."""
        node = example.items[key][1] if key in example.items else None
        lines: list[_Line] = []
        items = self._sequence(node, f"`{key}`")
        if node is not None and len(items) > limits.MAX_EXAMPLE_LINES:
            message = f"`{key}` has {len(items)} lines; {limits.MAX_EXAMPLE_LINES} is the most"
            self._report("TS-R508", message, node)
            return lines
        for item in items:
            scalar = self._scalar(item, f"A line of `{key}`")
            if scalar is None:
                continue
            if len(scalar.value) > limits.MAX_EXAMPLE_CHARS:
                self._report("TS-R508", f"A line of `{key}` has {len(scalar.value)} characters", scalar)
                continue
            try:
                lines.append(read(scalar.value))
            except RuleError as error:
                self._place(error, scalar)
        return lines
