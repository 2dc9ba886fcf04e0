"""Errors that are the database's own: it is away, or has no room for what it was asked to keep."""

import sqlite3

import asyncpg  # type: ignore[import-untyped]  # it ships no types
from tortoise.exceptions import BaseORMException, DBConnectionError

# As PostgreSQL itself tells that it is away.
TOLD = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it is being shut down, or is starting up
    asyncpg.InsufficientResourcesError,  # connections, memory, or room on its disk
)
_SQLITE_AWAY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def is_away(error: BaseException) -> bool:
    """Whether the database did not answer, or could take no more."""
    cause = _cause(error)
    away = isinstance(error, DBConnectionError) or isinstance(cause, TOLD)
    return away or is_full(error) or _sqlite_code(cause) in _SQLITE_AWAY


def is_full(error: BaseException) -> bool:
    """Whether the database had no room on its disk."""
    cause = _cause(error)
    return isinstance(cause, asyncpg.DiskFullError) or _sqlite_code(cause) == sqlite3.SQLITE_FULL


def _cause(error: BaseException) -> object:
    """What the driver raised, which Tortoise wraps."""
    return error.args[0] if isinstance(error, BaseORMException) and error.args else error


def _sqlite_code(cause: object) -> int | None:
    """The primary result code; the extended one says which of its kind."""
    return cause.sqlite_errorcode & 0xFF if isinstance(cause, sqlite3.Error) else None
