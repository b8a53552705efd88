"""The names in `names.yaml` are the code's: a change of one is a migration (CONTRIBUTING.md)."""

from __future__ import annotations

from pathlib import Path

import yaml

from compatibility.names import conductor, outside, stored, temporal

FILE = Path(__file__).parent / "names.yaml"


async def test_the_names_that_reach_a_server_or_a_file_are_those_that_were_frozen(
    tmp_path: Path,
) -> None:
    found = {
        "history": stored.events(),
        "engine": stored.tables(),
        "temporal": temporal.names(),
        "conductor": await conductor.names(),
        "http": await outside.http(tmp_path),
        "components.yaml": outside.yaml(),
    }
    frozen = yaml.safe_load(FILE.read_text())
    assert found.keys() == frozen.keys()
    for part, names in found.items():
        shown = yaml.safe_dump({part: names}, sort_keys=False, width=95, default_flow_style=None)
        assert names == frozen[part], f"{FILE.name} has other names than the code has now:\n{shown}"
