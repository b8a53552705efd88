"""Sort images by what they show; an image that cannot be read does not stop the others.

    $ python examples/image_processing.py
    Started images-1.
    …
    images-1 is COMPLETED: 4 bright and 7 dark images are sorted; 1 failed:
      image-06.pgm: ValueError: image-06.pgm is not an image

The images never pass through the workflow: its payloads are their paths.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from demo import launch, options, resume_or_start
from flowyard import (
    ActivityContext,
    App,
    RetryPolicy,
    Runtime,
    TaskFailedError,
    WorkflowContext,
    when_all,
)
from outside_world import OutsideWorld, say

POISON = 6
RETRIES = RetryPolicy(
    first_retry_interval=timedelta(seconds=0.2), max_number_of_attempts=3, backoff_coefficient=2
)

app = App()
world = OutsideWorld("image_processing-world.db")


@dataclass(frozen=True)
class Batch:
    """Where the images are and where they go."""

    source: str
    target: str
    names: list[str]


@dataclass(frozen=True)
class Classified:
    """An image, by reference, and what it shows."""

    path: str
    target: str
    label: str


@dataclass(frozen=True)
class Report:
    """Where the images went, and why some did not: by name."""

    stored: dict[str, str]
    failed: dict[str, str]


@app.activity
def classify(ctx: ActivityContext, path: str) -> str:
    """Say whether a PGM image is bright or dark. The classifier is busy now and then."""
    image = Path(path)
    world.step(ctx, "classify", image.name)
    if image.name in world.get("busy", []):
        world.drop("busy", image.name)
        raise ConnectionError("the classifier is busy")
    header, _, pixels = image.read_bytes().partition(b"\n255\n")
    if not header.startswith(b"P5"):
        raise ValueError(f"{image.name} is not an image")
    return "bright" if sum(pixels) / len(pixels) > 127 else "dark"


@app.activity
def store(ctx: ActivityContext, image: Classified) -> str:
    """Copy an image into the folder of its label and return the copy's path."""
    source = Path(image.path)
    world.step(ctx, "store", f"{source.name} as {image.label}")
    folder = Path(image.target) / image.label
    folder.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: a killed attempt leaves no half image behind.
    unfinished = folder / f"{source.name}.part"
    unfinished.write_bytes(source.read_bytes())
    return str(unfinished.replace(folder / source.name))


async def sort_one(ctx: WorkflowContext, path: str, target: str) -> str:
    """Classify and store one image."""
    label = await ctx.call_activity(classify, input=path, retry_policy=RETRIES)
    return await ctx.call_activity(store, input=Classified(path, target, label))


async def sort_or_explain(ctx: WorkflowContext, path: str, target: str) -> tuple[bool, str]:
    """Return where the image went, or why it did not."""
    try:
        return True, await sort_one(ctx, path, target)
    except TaskFailedError as error:
        return False, f"{error.details.error_type}: {error.details.message}"


@app.workflow
async def sort_images(ctx: WorkflowContext, batch: Batch) -> Report:
    """Sort all images at once and report on each."""
    outcomes = await when_all(
        [sort_or_explain(ctx, f"{batch.source}/{name}", batch.target) for name in batch.names]
    )
    results = list(zip(batch.names, outcomes, strict=True))
    return Report(
        stored={name: text for name, (done, text) in results if done},
        failed={name: text for name, (done, text) in results if not done},
    )


def make_images(folder: Path, number: int) -> Batch:
    """Draw small grey images, one of which is broken."""
    source = folder / "incoming"
    source.mkdir(parents=True, exist_ok=True)
    names = [f"image-{index:02}.pgm" for index in range(1, number + 1)]
    for index, name in enumerate(names, 1):
        grey = 40 + 75 * (index % 3)
        image = b"P5\n8 8\n255\n" + bytes([grey]) * 64
        (source / name).write_bytes(b"broken" if index == POISON else image)
    return Batch(str(source), str(folder / "sorted"), names)


async def run(arguments: argparse.Namespace) -> None:
    """Sort a batch of images and print the report."""
    batch = make_images(Path("build/images"), arguments.images)
    async with Runtime.open(arguments.components, app) as runtime:
        instance_id = await resume_or_start(runtime, sort_images, "images", batch)
        state = await runtime.wait(instance_id)
    report = state.result(Report)
    labels = Counter(Path(path).parent.name for path in report.stored.values())
    say(
        f"{instance_id} is {state.status}: {labels['bright']} bright and {labels['dark']} dark "
        f"images are sorted; {len(report.failed)} failed:"
    )
    for name, reason in report.failed.items():
        say(f"  {name}: {reason}")


def main() -> None:
    """Run the example."""
    parser = options("Sort images by what they show.", pace=0.5)
    parser.add_argument("--images", type=int, default=12, help="the number of images (%(default)s)")
    arguments = parser.parse_args()
    world.pace = arguments.pace
    world.put("busy", ["image-02.pgm", "image-09.pgm"])
    launch(run(arguments))


if __name__ == "__main__":
    main()
