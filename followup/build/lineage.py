"""Lineage of a build as OpenLineage events, by dbt's own provider, where a transport is configured.

Off unless one of OpenLineage's own variables says where events go. An event holds names of models and columns, their
SQL and the outcome of tests, and no row. That events could not be sent fails no build.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)
_VARIABLES = ("OPENLINEAGE_CONFIG", "OPENLINEAGE_URL", "OPENLINEAGE__TRANSPORT__TYPE")
_PRODUCER = "https://github.com/OpenLineage/OpenLineage/tree/main/integration/dbt"


def is_configured() -> bool:
    """Whether events are wanted: then dbt writes its manifest and results, which they are made of."""
    is_off = os.environ.get("OPENLINEAGE_DISABLED", "").lower() in ("true", "1")
    return not is_off and any(os.environ.get(name) for name in _VARIABLES)


def send_lineage(project: Path, target_path: Path, target: str) -> int:
    """Send the events of what dbt has just run.

    Args:
        project: dbt's project folder.
        target_path: where its manifest and results are.
        target: of the profile.

    Returns:
        How many events were sent; 0 where they could not be, which the log says.
    """
    from openlineage.client import OpenLineageClient
    from openlineage.common.provider.dbt.local import DbtLocalArtifactProcessor

    try:
        processor = DbtLocalArtifactProcessor(
            project_dir=str(project), target=target, target_path=str(target_path), producer=_PRODUCER,
            job_namespace=os.environ.get("OPENLINEAGE_NAMESPACE", "followup"), skip_errors=True,
        )  # fmt: skip
        events = processor.parse().events()
        client = OpenLineageClient()
        for event in events:
            client.emit(event)
    except Exception as error:  # noqa: BLE001  (whatever the service of others answers, the marts are built)
        log.warning("lineage events were not sent: %s", type(error).__name__)
        return 0
    return len(events)
