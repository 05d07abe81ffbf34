"""Serving a finished release to those who read it: files by one link, PostgreSQL by one transaction."""

from publish.serving.release_file import ReleaseFile, ServingError, read_release
from publish.serving.targets import Served, finish, serve

__all__ = ["ReleaseFile", "Served", "ServingError", "finish", "read_release", "serve"]
