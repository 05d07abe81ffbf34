"""dbt's dispatch as sqlfluff's templater sees it."""

from collections.abc import Callable


def dispatch(name: str, package: str) -> Callable[..., str]:
    """The macro that the engine would choose: a call of the same form."""
    return lambda expression, *_: f"{name}_of({expression})"
