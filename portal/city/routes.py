"""All pages of the city."""

from __future__ import annotations

from fastapi import APIRouter

from portal.city import audit, cell, completeness, explanations, names, quarters, releases, reminders, submission, wall

router = APIRouter()
# Those with a fixed word in second place are before `/staden/{quarter}/{code}/{dataset}`.
for _one in (wall, quarters, completeness, names, explanations, reminders, releases, audit, submission, cell):
    router.include_router(_one.router)
