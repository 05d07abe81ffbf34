import ast
from pathlib import Path

import publish.attack

MAY = ("publish.attack", "publish.policy", "publish.marts")


def test_attacker_shares_only_types_with_what_makes_releases():
    """What is common to both would be wrong in both."""
    files = sorted(Path(publish.attack.__file__).parent.glob("*.py"))
    assert len(files) > 5
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert not name.startswith(("publish", "followup", "ingest")) or name.startswith(MAY), file.name
