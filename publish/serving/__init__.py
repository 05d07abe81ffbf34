"""Serving a finished release to those who read it: files by one link, PostgreSQL by one transaction."""

from publish.serving.release_file import ReleaseFile, ServingError, read_release
from publish.serving.targets import Served, describe_database, finish, has_database, serve

__all__ = [
    "ReleaseFile",
    "Served",
    "ServingError",
    "describe_database",
    "finish",
    "has_database",
    "read_release",
    "serve",
]
