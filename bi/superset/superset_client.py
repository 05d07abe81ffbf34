"""What we ask of Superset's REST API: import the bundle, list the charts, fetch a chart's figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from bundle import DATABASE, ROOT


class SupersetClient:
    """A session with one Superset.

    Args:
        address: of the server, without a path.
        username: one who may import.
        password: of that user.
    """

    def __init__(self, address: str, username: str, password: str) -> None:
        """Log in.

        Raises:
            httpx.HTTPStatusError: the server does not let us in.
        """
        self._http = httpx.Client(base_url=address, timeout=120)
        login = {"username": username, "password": password, "provider": "db"}
        token = self._json(self._http.post("/api/v1/security/login", json=login))["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"
        self._http.headers["X-CSRFToken"] = self._json(self._http.get("/api/v1/security/csrf_token/"))["result"]
        self._http.headers["Referer"] = address

    def import_bundle(self, archive: Path, password: str) -> None:
        """Import the bundle, in place of what an earlier import left.

        Args:
            archive: what `write_bundle` wrote.
            password: of the role in the bundle's database address.

        Raises:
            httpx.HTTPStatusError: the server refuses it; the message holds its answer.
        """
        passwords = json.dumps({DATABASE: password, f"{ROOT}/{DATABASE}": password})
        bundle = {"bundle": (archive.name, archive.read_bytes(), "application/zip")}
        self._json(self._http.post("/api/v1/assets/import/", files=bundle, data={"passwords": passwords}))

    def charts(self, dashboard: str) -> dict[str, int]:
        """Title → id of the charts of a dashboard, by its slug."""
        found = self._json(self._http.get(f"/api/v1/dashboard/{dashboard}/charts"))["result"]
        return {str(one["slice_name"]): int(one["id"]) for one in found}

    def counts(self) -> dict[str, int]:
        """How many objects of each kind the server holds."""
        kinds = ("database", "dataset", "chart", "dashboard")
        return {kind: int(self._json(self._http.get(f"/api/v1/{kind}/"))["count"]) for kind in kinds}

    def figures(self, chart: int) -> list[dict[str, Any]]:
        """The rows of a chart, by the query that the server stores for it.

        Raises:
            httpx.HTTPStatusError: the query fails; the message holds the server's answer.
        """
        result = self._json(self._http.get(f"/api/v1/chart/{chart}/data/", params={"force": "true"}))["result"]
        rows: list[dict[str, Any]] = result[0]["data"]
        return rows

    def filtered(self, chart: int, column: str, value: str) -> list[dict[str, Any]]:
        """The rows of a chart as a filter of the dashboard asks for them: its stored query with one condition more.

        Raises:
            httpx.HTTPStatusError: the query fails; the message holds the server's answer.
        """
        asked = json.loads(self._json(self._http.get(f"/api/v1/chart/{chart}"))["result"]["query_context"])
        for query in asked["queries"]:
            query["filters"].append({"col": column, "op": "IN", "val": [value]})
        rows: list[dict[str, Any]] = self._json(self._http.post("/api/v1/chart/data", json=asked))["result"][0]["data"]
        return rows

    def dashboard(self, slug: str) -> dict[str, Any]:
        """A dashboard's settings: its filters, and the charts that each passes by."""
        found = self._json(self._http.get(f"/api/v1/dashboard/{slug}"))["result"]
        settings: dict[str, Any] = json.loads(found["json_metadata"])
        return settings

    @staticmethod
    def _json(response: httpx.Response) -> dict[str, Any]:
        if response.is_error:
            message = f"{response.request.url.path}: {response.status_code} {response.text[:2000]}"
            raise httpx.HTTPStatusError(message, request=response.request, response=response)
        found: dict[str, Any] = response.json()
        return found
