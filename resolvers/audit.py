"""The audit log: who asked for what, and what came of it; one line an operation, no secrets.

Neither variables nor messages are in it, for both may hold what a user typed: a token, or a name
that breaks a terminal. What an operation was about is noted by the resolvers, as it is on record.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

from graphql import FieldNode, OperationDefinitionNode
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from resolvers.faults import is_ours

if TYPE_CHECKING:
    from resolvers.context import RequestContext

log = logging.getLogger("darkroom.audit")

_LONGEST = 100  # characters of one value
_MOST = 20  # fields that are named

_notes: ContextVar[dict[str, str] | None] = ContextVar("notes", default=None)


def note(**what: str) -> None:
    """Add to the line of this operation what it is about: a name on record, an id."""
    notes = _notes.get()
    if notes is not None:
        notes.update(what)


class Audit(SchemaExtension):
    """Writes the line when an operation ends; for a subscription, one when it begins too."""

    def on_operation(self) -> Iterator[None]:
        """Around everything, so that refused operations are in it as well."""
        self._notes: dict[str, str] = {}
        _notes.set(self._notes)
        started = time.perf_counter()
        try:
            yield
        finally:
            self._write(self._outcome(), (time.perf_counter() - started) * 1000)

    def on_execute(self) -> Iterator[None]:
        """A subscription may last for days."""
        if self._type() is OperationType.SUBSCRIPTION:
            self._write("begun", 0)
        yield

    def _write(self, outcome: str, milliseconds: float) -> None:
        context: RequestContext = self.execution_context.context
        kind = self._type()
        line = {
            "user": context.viewer.name,
            "operation": kind.value if kind else "unknown",
            "fields": ",".join(self._fields()),
            **self._notes,
            "outcome": outcome,
        }
        words = [f"{name}={json.dumps(value[:_LONGEST])}" for name, value in line.items()]
        log.info("%s ms=%.1f", " ".join(words), milliseconds)

    def _outcome(self) -> str:
        context = self.execution_context
        errors = getattr(context.result, "errors", None) or context.pre_execution_errors or []
        if not errors:
            return self._notes.pop("refused", "ok")
        return "failed" if any(map(is_ours, errors)) else "refused"

    def _type(self) -> OperationType | None:
        try:
            return self.execution_context.operation_type
        except RuntimeError:  # there is no such operation, or no document
            return None

    def _fields(self) -> list[str]:
        """The root fields of the document's operations."""
        document = self.execution_context.graphql_document
        names = [
            selection.name.value
            for node in (document.definitions if document else ())
            if isinstance(node, OperationDefinitionNode)
            for selection in node.selection_set.selections
            if isinstance(selection, FieldNode)
        ]
        return list(dict.fromkeys(names))[:_MOST]
