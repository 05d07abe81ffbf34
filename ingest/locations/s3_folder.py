"""A drop location that is a prefix in an S3-compatible bucket. Objects are no links, and are seen whole or not at all.

Every request has the location's time limit, and all requests of a step together have the step's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fsspec.asyn import sync
from fsspec.exceptions import FSTimeoutError

from ingest.districts import DropLocation
from ingest.locations.entries import CHUNK, Connection, Entry, FileChanged, NotInTime, TooManyNames

_ATTEMPTS = 3
_CHANGED = frozenset({"PreconditionFailed", "412", "InvalidRange", "416", "NoSuchKey", "404"})


class S3Connection(Connection):
    """An open prefix of a bucket."""

    is_whole_at_once = True

    def __init__(self, location: DropLocation) -> None:
        """Take the address; the first request connects."""
        self._files = _files(location)
        self._bucket, _, prefix = location.url.removeprefix("s3://").rstrip("/").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._until, self._seconds = float("inf"), float("inf")

    def list(self, at_most: int) -> list[Entry]:
        """As `Connection.list`; a prefix without any objects is an empty folder, if its bucket is there."""
        entries: list[Entry] = []
        asked: dict[str, Any] = {"Prefix": self._prefix, "Delimiter": "/"}
        while True:
            answer = self._ask("list_objects_v2", **asked)
            for found in answer.get("Contents", ()):
                # A "folder" made in a web page is an empty object with the prefix's own name.
                if found["Key"] != self._prefix:
                    entries.append(self._entry(found["Key"], found["Size"], found))
            for inner in answer.get("CommonPrefixes", ()):
                entries.append(Entry(inner["Prefix"][len(self._prefix) : -1], "folder", 0, 0.0, ""))
            if len(entries) > at_most:
                raise TooManyNames(at_most)
            if not answer.get("IsTruncated"):
                return entries
            asked["ContinuationToken"] = answer["NextContinuationToken"]

    def _entry(self, key: str, size: int, found: dict[str, Any]) -> Entry:
        return Entry(key[len(self._prefix) :], "file", size, found["LastModified"].timestamp(), found["ETag"])

    def look(self, name: str, folder: str = "") -> Entry | None:
        """As `Connection.look`."""
        key = self._key(name, folder)
        try:
            found = self._ask("head_object", Key=key)
        except FileNotFoundError:
            return None
        return self._entry(key, found["ContentLength"], found)

    def pieces(self, name: str, mark: str, at_most: int) -> Iterator[bytes]:
        """As `Connection.pieces`; an object that was replaced is refused by the server."""
        found = self.look(name)
        if found is None or found.mark != mark:
            raise FileChanged
        size = min(found.size, at_most)
        for start in range(0, size, CHUNK):
            until = min(start + CHUNK, size) - 1
            try:
                yield self._do(self._fetch, self._key(name), mark, f"bytes={start}-{until}")
            except OSError as error:
                if error_code(error) in _CHANGED:
                    raise FileChanged from None
                raise

    async def _fetch(self, key: str, mark: str, piece: str) -> bytes:
        answer = await self._files._call_s3("get_object", Bucket=self._bucket, Key=key, IfMatch=mark, Range=piece)
        async with answer["Body"] as body:
            return bytes(await body.read())

    def read_whole(self, name: str) -> bytes:
        """An object's content, whatever its name was before.

        Raises:
            FileNotFoundError: there is no such object, or no such bucket.
        """
        return bytes(self._do(self._fetch_whole, self._key(name)))

    async def _fetch_whole(self, key: str) -> bytes:
        answer = await self._files._call_s3("get_object", Bucket=self._bucket, Key=key)
        async with answer["Body"] as body:
            return bytes(await body.read())

    def keys_below(self, folder: str) -> Iterator[str]:
        """The names, below the location, of all objects whose names begin with a folder's, in order."""
        asked: dict[str, Any] = {"Prefix": f"{self._prefix}{folder}/" if folder else self._prefix}
        while True:
            answer = self._ask("list_objects_v2", **asked)
            yield from (found["Key"][len(self._prefix) :] for found in answer.get("Contents", ()))
            if not answer.get("IsTruncated"):
                return
            asked["ContinuationToken"] = answer["NextContinuationToken"]

    def versioning(self) -> str:
        """Whether the bucket keeps old versions of its objects: `Enabled`, `Suspended`, or empty where it never did."""
        return str(self._ask("get_bucket_versioning").get("Status") or "")

    def put_whole(self, folder: str, name: str, content: bytes) -> None:
        """As `Connection.put_whole`: an object is seen whole or not at all."""
        self._ask("put_object", Key=self._key(name, folder), Body=content)

    def move(self, name: str, folder: str, new: str) -> None:
        """Copy, then remove: objects can't be renamed."""
        source, target = f"{self._bucket}/{self._key(name)}", f"{self._bucket}/{self._key(new, folder)}"
        self._do(self._files._cp_file, source, target)
        self.remove(name)

    def remove(self, name: str, folder: str = "") -> None:
        """As `Connection.remove`."""
        self._ask("delete_object", Key=self._key(name, folder))

    def now(self) -> float:
        """This machine's clock: nobody waits for an object to become whole."""
        return time.time()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """As `Connection.within`."""
        self._until, self._seconds = time.monotonic() + seconds, seconds
        try:
            yield
        finally:
            self._until, self._seconds = float("inf"), float("inf")

    def _ask(self, method: str, **named: Any) -> Any:
        return self._do(self._files._call_s3, method, Bucket=self._bucket, **named)

    def _do(self, ask: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        left = self._until - time.monotonic()
        if left <= 0:
            raise NotInTime(self._seconds)
        try:
            return sync(self._files.loop, ask, *arguments, timeout=None if left == float("inf") else left, **named)
        except FSTimeoutError:
            raise NotInTime(self._seconds) from None

    def _key(self, name: str, folder: str = "") -> str:
        return f"{self._prefix}{folder}/{name}" if folder else f"{self._prefix}{name}"

    def close(self) -> None:
        """Close the open connections."""
        if self._files._s3 is not None:
            self._files.close_session(self._files.loop, self._files._s3creator)


def _files(location: DropLocation) -> Any:
    from s3fs import S3FileSystem

    # A request that gets no answer is tried again: all tries together have the location's time.
    limit = location.timeout_seconds / _ATTEMPTS
    files = S3FileSystem(
        key=location.access_key.get_secret_value() if location.access_key else None,
        secret=location.secret_key.get_secret_value() if location.secret_key else None,
        endpoint_url=location.endpoint_url,
        client_kwargs={"region_name": location.region} if location.region else {},
        config_kwargs={
            "connect_timeout": limit,
            "read_timeout": limit,
            "retries": {"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        },
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    files.retries = 1
    return files


def error_code(error: BaseException) -> str:
    """The server's own code of an error; empty when it gave none."""
    response = getattr(error.__cause__, "response", None)
    return str(response.get("Error", {}).get("Code")) if isinstance(response, dict) else ""
