"""dbt's cross-database macros as sqlfluff's templater sees them: calls of the same form."""


def dateadd(part: str, count: object, date: str) -> str:
    """A date so many parts later."""
    return f"date_add({date}, {count})"


def datediff(first: str, second: str, part: str) -> str:
    """Parts between two dates."""
    return f"date_diff('{part}', {first}, {second})"


def hash(expression: str) -> str:
    """A hash of a text."""
    return f"md5({expression})"
