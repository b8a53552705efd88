"""The image example: retries, one poison image, payloads by reference."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from flowyard import WorkflowStatus
from image_processing import Report, app, make_images, sort_images, world

if TYPE_CHECKING:
    from examples.conftest import OpenRuntime, StartProgram
    from flowyard.testing import OpenWorkflowKit

POISON = "image-06.pgm"


def content(path: str) -> bytes:
    """The bytes of an image."""
    return Path(path).read_bytes()


async def test_one_poison_image_costs_only_itself(workflow_kit: OpenWorkflowKit) -> None:
    batch = make_images(Path("images"), 8)
    async with workflow_kit(app) as kit:
        started = kit.clock.now()
        state = await kit.wait(await kit.runtime.start(sort_images, input=batch))
        # The poison image was tried three times, the second wait twice as long as the first.
        assert kit.clock.now() - started == 600_000
    assert state.status is WorkflowStatus.COMPLETED
    report = state.result(Report)
    assert report.failed == {POISON: f"ValueError: {POISON} is not an image"}
    assert list(report.stored) == [name for name in batch.names if name != POISON]
    assert {name: Path(path).parent.name for name, path in report.stored.items()} == {
        "image-01.pgm": "dark",
        "image-02.pgm": "bright",
        "image-03.pgm": "dark",
        "image-04.pgm": "dark",
        "image-05.pgm": "bright",
        "image-07.pgm": "dark",
        "image-08.pgm": "bright",
    }
    for name, path in report.stored.items():
        assert content(path) == content(f"{batch.source}/{name}")
    assert Counter(world.calls())["classify", POISON] == 3


async def test_a_busy_classifier_is_asked_again(workflow_kit: OpenWorkflowKit) -> None:
    batch = make_images(Path("images"), 2)
    world.put("busy", ["image-02.pgm"])
    async with workflow_kit(app) as kit:
        state = await kit.wait(await kit.runtime.start(sort_images, input=batch))
    assert state.result(Report).failed == {}
    times = Counter(world.calls())
    assert times["classify", "image-01.pgm"] == 1
    assert times["classify", "image-02.pgm"] == 2


async def test_no_image_passes_through_the_workflow(open_runtime: OpenRuntime) -> None:
    batch = make_images(Path("images"), 3)
    for name in batch.names:
        image = Path(batch.source) / name
        image.write_bytes(image.read_bytes() + b"\xff" * 100_000)
    async with open_runtime(app) as runtime:
        instance_id = await runtime.start(sort_images, input=batch)
        state = await runtime.wait(instance_id)
        history = await runtime.history(instance_id)
    assert len(state.result(Report).stored) == 3
    assert len(repr(history)) < 10_000


def test_sorting_whose_program_is_killed_does_no_recorded_step_again(
    start_program: StartProgram,
) -> None:
    # 32 threads take 32 of the images; the others are classified when the first are stored.
    first = start_program("image_processing.py", "--pace", "0.5", "--images", "40")
    first.read_until("store: image-01.pgm")
    first.kill()
    before = world.calls()
    output = start_program("image_processing.py", "--pace", "0", "--images", "40").finish()
    assert "Resuming images-1: it was started before the interruption." in output
    assert "images-1 is COMPLETED: 13 bright and 26 dark images are sorted; 1 failed:" in output, (
        output
    )
    # An image is stored only after its classification was recorded.
    classified = [detail.split()[0] for activity, detail in before if activity == "store"]
    assert "image-01.pgm" in classified
    after = world.calls()[len(before) :]
    assert not {("classify", name) for name in classified} & set(after)
