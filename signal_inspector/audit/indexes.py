"""An index that holds some of the rows where the database can do that, and all of them elsewhere.

Django leaves an index with a condition out on MySQL and MariaDB, and a check warns of it: there
the search it is for would read the whole table.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement
from django.db.models import Index, Model, Q


class PartialIndex(Index):
    """``Index(fields=…, condition=where)``, or the same without the condition."""

    def __init__(self, *expressions: Any, where: Q, **options: Any) -> None:
        super().__init__(*expressions, **options)
        # Not named `condition`: that is what Django's check looks at.
        self.where = where

    def create_sql(
        self, model: type[Model], schema_editor: BaseDatabaseSchemaEditor, *args: Any, **kw: Any
    ) -> Statement:
        """The statement for the database of this schema editor."""
        supported = schema_editor.connection.features.supports_partial_indexes
        plain = Index(
            fields=[name for name, _ in self.fields_orders],
            name=self.name,
            condition=self.where if supported else None,
        )
        return plain.create_sql(model, schema_editor, *args, **kw)

    def deconstruct(self) -> Any:
        path, expressions, options = super().deconstruct()
        return path, expressions, {**options, "where": self.where}
