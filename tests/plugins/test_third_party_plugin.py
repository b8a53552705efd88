"""Strangers' plugins, installed from wheels where nothing else is, are found and conform."""

from __future__ import annotations

import json
import shutil
import sys
import venv
from pathlib import Path

import pytest

from distributions import CHECKOUT, run

PLUGINS = sorted(Path(__file__).parent.glob("flowyard-*"))

# The first test also makes the environment, which takes as long as the index does.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an environment `env`, in which only these wheels were installed."""
    folder = tmp_path_factory.mktemp("elsewhere")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    run(*pip, *build, CHECKOUT, *PLUGINS, cwd=folder)
    venv.create(folder / "env")
    (flowyard,) = folder.glob("flowyard-*.whl")
    plugins = sorted(folder.glob("flowyard_*-*.whl"))
    assert len(plugins) == len(PLUGINS)
    into = ("--python", folder / "env/bin/python")
    constraints = ("-c", CHECKOUT / "constraints.txt")
    run(*pip, *into, "install", *constraints, f"{flowyard}[testing]", *plugins, cwd=folder)
    return folder


def test_each_plugin_is_found_by_its_entry_point_alone(elsewhere: Path) -> None:
    code = """if True:
        import json
        from flowyard.config import plugins
        found = {one.name: [one.distribution, str(one.error)] for one in plugins.installed_types()}
        print(json.dumps([plugins.__file__, found]))
    """
    place, found = json.loads(run(elsewhere / "env/bin/python", "-c", code, cwd=elsewhere))
    assert Path(place).is_relative_to(elsewhere / "env")
    others = {name: told for name, told in found.items() if told[0] != "flowyard"}
    assert others == {
        "bindings.notes": ["flowyard-notes", "None"],
        "pubsub.mailbox": ["flowyard-mailbox", "None"],
        "state.folder": ["flowyard-folder", "None"],
        "workflow.memory": ["flowyard-memory", "None"],
    }
    assert {error for _, error in found.values()} == {"None"}
    assert {"state.in-memory", "state.redis", "state.sqlite", "workflow.engine"} <= found.keys()


@pytest.mark.parametrize(
    "component",
    [
        ("--component-type=workflow.memory",),
        ("--component-type=state.folder", "--component-metadata=path={tmp_path}/notes"),
    ],
    ids=["workflow.memory", "state.folder"],
)
def test_a_plugin_passes_the_conformance_suite_of_the_wheel(
    component: tuple[str, ...], elsewhere: Path
) -> None:
    suite = ("-m", "pytest", "--pyargs", "flowyard.testing.suite", "-p", "no:cacheprovider", "-rs")
    told = run(elsewhere / "env/bin/python", *suite, *component, cwd=elsewhere)
    assert " passed" in told
    skips = [line for line in told.splitlines() if line.startswith("SKIPPED")]
    assert skips
    assert all("declare" in line for line in skips)


def test_a_component_of_the_plugin_runs_from_components_yaml(elsewhere: Path) -> None:
    (elsewhere / "components.yaml").write_text(
        "apiVersion: dapr.io/v1alpha1\n"
        "kind: Component\n"
        "metadata: {name: scratch}\n"
        "spec:\n"
        "  type: workflows.memory\n"
        "  metadata: [{name: maxInstances, value: 1}]\n"
    )
    (elsewhere / "program.py").write_text(
        "import asyncio\n"
        "from flowyard import App, BackendUnavailable, Runtime, WorkflowContext\n"
        "app = App()\n"
        "@app.workflow\n"
        "async def greet(ctx: WorkflowContext, name: str) -> str:\n"
        "    return f'Hello {name}'\n"
        "async def main() -> None:\n"
        "    async with Runtime.open('components.yaml', app) as runtime:\n"
        "        state = await runtime.wait(await runtime.start(greet, input='World'))\n"
        "        print(state.result(str))\n"
        "        try:\n"
        "            await runtime.start(greet, input='nobody')\n"
        "        except BackendUnavailable as error:\n"
        "            print(error)\n"
        "asyncio.run(main())\n"
    )
    told = run(elsewhere / "env/bin/python", "program.py", cwd=elsewhere)
    assert told == "Hello World\nmaxInstances is reached: purge closed instances\n"


@pytest.mark.parametrize("name", ["mailbox", "notes"])
def test_a_plugin_passes_the_clauses_that_it_inherits(name: str, elsewhere: Path) -> None:
    proof = CHECKOUT / f"tests/plugins/flowyard-{name}/conformance_of_{name}.py"
    # Away from the checkout, whose own plugins of pytest are not there.
    shutil.copy(proof, elsewhere / f"test_{name}.py")
    pytest_of_its_own = ("-m", "pytest", "-p", "no:cacheprovider", "-rs", f"test_{name}.py")
    told = run(elsewhere / "env/bin/python", *pytest_of_its_own, cwd=elsewhere)
    assert " passed" in told
    skips = [line for line in told.splitlines() if line.startswith("SKIPPED")]
    assert all("declare" in line for line in skips)
