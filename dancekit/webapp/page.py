"""The page: two tabs, drawn by Gradio. What it shows is read from the jobs' folders at every tick of a timer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from dancekit.errors import DancekitError, UsageError
from dancekit.webapp.clips import Clip
from dancekit.webapp.dancers import describe
from dancekit.webapp.house import BACKGROUNDS, NORMALIZERS, PEOPLE, RECIPES, House
from dancekit.webapp.jobs import Job, Kind
from dancekit.webapp.status import job_label, message, result_key, result_of, status_of

TICK, LISTS = 1.0, 3.0
"""Seconds between two looks at the jobs, and at what there is to choose from."""

CSS = (Path(__file__).with_name("page.css")).read_text(encoding="utf-8")

CONFIRM = "(id) => id && confirm('Delete this, with all its files?') ? id : null"

Update = Any
"""What Gradio makes of an update of a component."""

Labels = list[tuple[str, str]]
"""What is shown of each thing in a list, and its id."""


def build_page(house: House) -> gr.Blocks:
    """The whole page."""
    with gr.Blocks(title="dancekit", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.HTML(
            "<h1>dancekit</h1><p>A video of somebody dancing becomes one of somebody else doing that dance.</p>"
        )
        timers = gr.Timer(TICK), gr.Timer(LISTS)
        with gr.Tabs():
            with gr.Tab("Dance", id="dance"):
                dance_tab(page, house, *timers)
            with gr.Tab("Train a dancer", id="train"):
                train_tab(page, house, *timers)
    return page


def dance_tab(page: gr.Blocks, house: House, timer: gr.Timer, lists: gr.Timer) -> None:
    """Choose a dance and a dancer, see the fit, make the video."""
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            clip, said = clip_chooser(page, house, lists, "The dance", house.clips.dances, "dance")
            dancer = gr.Dropdown([], label="The dancer", elem_id="dancer", filterable=False)
            about = gr.HTML(elem_id="about-dancer", elem_classes="quiet")
            with gr.Accordion("More", open=False, elem_id="more"):
                background = gr.Dropdown(BACKGROUNDS, value="", label="Background", filterable=False)
                fits = [("as the dancer's recipe has it", ""), *((name, name) for name in NORMALIZERS)]
                normalizer = gr.Dropdown(fits, value="", label="How the dance is fitted", filterable=False)
                person = gr.Dropdown(
                    PEOPLE, value="", label="Whose dance, of several people", filterable=False
                )
            with gr.Row():
                look = gr.Button("See the fit", elem_id="look")
                make = gr.Button("Make the video", variant="primary", elem_id="make")
        with gr.Column(scale=3, min_width=320):
            chosen = job_view(page, house, timer, "Your videos", "dance", ("look", "dance"))

    known_dancers = [dancer, about, gr.State([])]

    def dancers(current: str | None, before: Labels) -> list[Update]:
        known = [(each.label, each.id) for each in house.choices()]
        if known == before:
            return [gr.skip()] * len(known_dancers)
        update, value = _listed(known, current, or_else=-1)  # the last one ships
        return [update, facts(value), known]

    def facts(identity: str | None) -> str:
        known = {each.id: each for each in house.choices()}
        return describe(known[identity]) if identity in known else ""

    def order(kind: Kind) -> Callable[..., Update]:
        return lambda *chosen: _ordered(house, ("look", "dance"), lambda: house.order_dance(kind, *chosen))

    _on(page.load, lambda current: dancers(current, []), [dancer], known_dancers)
    _on(lists.tick, dancers, [dancer, known_dancers[-1]], known_dancers)
    _on(dancer.input, facts, [dancer], [about])
    inputs = [clip, dancer, background, normalizer, person]
    _on(look.click, order("look"), inputs, [said, chosen])
    _on(make.click, order("dance"), inputs, [said, chosen])


def train_tab(page: gr.Blocks, house: House, timer: gr.Timer, lists: gr.Timer) -> None:
    """Train on a clip, watch it, come back to it."""
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            clip, said = clip_chooser(page, house, lists, "Who is to dance", house.clips.targets, "train")
            name = gr.Textbox(label="Name of the dancer", max_length=60, elem_id="train-name")
            recipe = gr.Dropdown(RECIPES, value="quick", label="Recipe", filterable=False, elem_id="recipe")
            with gr.Accordion("More", open=False, elem_id="train-more"):
                steps = gr.Number(
                    value=None, label="Steps (empty: as many as the recipe has)", precision=0, elem_id="steps"
                )
            agreed = gr.Checkbox(label="This is me, or the person shown agreed to it", elem_id="agreed")
            consent = gr.Textbox(
                label="What they agreed to; written into the dancer's file", max_length=500, lines=2
            )
            start = gr.Button("Train", variant="primary", elem_id="train")
        with gr.Column(scale=3, min_width=320):
            chosen = job_view(page, house, timer, "Your trainings", "training", ("train",))
    _on(
        start.click,
        lambda *given: _ordered(house, ("train",), lambda: house.order_training(*given)),
        [clip, name, recipe, steps, agreed, consent],
        [said, chosen],
    )


def clip_chooser(
    page: gr.Blocks, house: House, lists: gr.Timer, label: str, clips: Callable[[], Sequence[Clip]], name: str
) -> tuple[gr.Dropdown, gr.HTML]:
    """A field for uploads, and the list that they appear in.

    Returns:
        The list, and where sentences are shown.
    """
    limits = house.clips.limits
    upload = gr.File(
        label=f"Upload a video (up to {limits.megabytes} MB and {limits.minutes:g} minutes)",
        file_types=["video"],
        elem_id=f"{name}-upload",
        height=150,
    )
    chosen = gr.Dropdown([], label=label, elem_id=f"{name}-clip", filterable=False)
    said = gr.HTML(elem_id=f"{name}-said")

    known_clips = [chosen, gr.State([])]

    def labels() -> Labels:
        return [(clip.label, clip.id) for clip in clips()]

    def listed(current: str | None, before: Labels) -> list[Update]:
        known = labels()
        return [gr.skip()] * 2 if known == before else [_listed(known, current)[0], known]

    def take(sent: dict[str, Any] | None) -> list[Update]:
        if sent is None:
            return [gr.skip()] * 4
        try:
            path = _uploaded(page, sent["path"])
            clip = house.clips.take(path, str(sent.get("orig_name") or path.name))
        except DancekitError as error:
            return [None, message(str(error)), gr.skip(), gr.skip()]
        known = labels()
        update = gr.update(choices=known, value=clip.id)
        return [None, message(f"{clip.label} is ready.", bad=False), update, known]

    _on(page.load, lambda current: listed(current, []), [chosen], known_clips)
    _on(lists.tick, listed, known_clips, known_clips)
    _on(upload.upload, take, [upload], [upload, said, *known_clips])
    return chosen, said


def job_view(
    page: gr.Blocks, house: House, timer: gr.Timer, label: str, name: str, kinds: tuple[Kind, ...]
) -> gr.Dropdown:
    """The list of jobs, and the one that is looked at: how far it is, its buttons, its result.

    Returns:
        The list.
    """
    chosen = gr.Dropdown([], label=label, elem_id=f"{name}-jobs", filterable=False)
    status = gr.HTML(elem_id=f"{name}-status")
    with gr.Row():
        stop = gr.Button("Stop", elem_id=f"{name}-stop", interactive=False, min_width=80)
        go_on = gr.Button("Go on", elem_id=f"{name}-go-on", interactive=False, min_width=80)
        delete = gr.Button("Delete", elem_id=f"{name}-delete", interactive=False, min_width=80)
    result = gr.HTML(elem_id=f"{name}-result")
    shown = gr.State("")
    outputs = [chosen, status, stop, go_on, delete, result, shown]

    def view(identity: str | None, before: str) -> list[Update]:
        """Everything that has changed; `before` says what the browser shows already."""
        job = house.find_job(identity)
        labels = _labels(house, kinds)
        key = f"{labels}\n{result_key(house.store, job)}"
        was = before.split("\n", 1) if before else ["", "\n"]
        now = key.split("\n", 1)
        state = "" if job is None else job.state
        return [
            gr.update(choices=labels) if now[0] != was[0] else gr.skip(),  # a later choice is not undone
            status_of(house.store, job, house.worker.place(job.id) if job else 0),
            gr.update(interactive=state in ("waiting", "running")),
            gr.update(interactive=state in ("stopped", "failed")),
            gr.update(interactive=state in ("finished", "stopped", "failed")),
            result_of(house.store, job) if now[1] != was[1] else gr.skip(),
            key,
        ]

    def newest() -> list[Update]:
        jobs = house.store.all(*kinds)
        job = next((job for job in jobs if job.active), jobs[0] if jobs else None)
        shown = view(job.id if job else None, "")
        return [gr.update(choices=_labels(house, kinds), value=job and job.id), *shown[1:]]

    def act(action: Callable[[Job], None]) -> Callable[[str | None, str], list[Update]]:
        def acted(identity: str | None, before: str) -> list[Update]:
            if job := house.find_job(identity):
                action(job)
            return view(identity, before)

        return acted

    def remove(identity: str) -> list[Update]:
        job = house.find_job(identity)  # none: it was not confirmed
        if job is None or job.active:
            return [gr.skip()] * len(outputs)
        house.store.remove(job.id)
        return newest()

    _on(page.load, newest, [], outputs)
    _on(timer.tick, view, [chosen, shown], outputs)
    _on(chosen.change, view, [chosen, shown], outputs)
    _on(stop.click, act(lambda job: house.worker.stop(job.id)), [chosen, shown], outputs)
    _on(go_on.click, act(house.worker.submit), [chosen, shown], outputs)
    _on(delete.click, remove, [chosen], outputs, js=CONFIRM)
    return chosen


def _ordered(house: House, kinds: tuple[Kind, ...], order: Callable[[], Job]) -> tuple[str, Update]:
    """Nothing to say and the new job in the list, or a sentence."""
    try:
        job = order()
    except DancekitError as error:
        return message(str(error)), gr.skip()
    return "", gr.update(choices=_labels(house, kinds), value=job.id)


def _listed(known: Labels, current: str | None, *, or_else: int = 0) -> tuple[Update, str | None]:
    """A list that has changed: what is chosen stays so if it is still there."""
    if current in {value for _, value in known}:
        return gr.update(choices=known), current  # a choice that was made meanwhile is not undone
    value = known[or_else][1] if known else None
    return gr.update(choices=known, value=value), value


def _labels(house: House, kinds: tuple[Kind, ...]) -> Labels:
    return [(job_label(job), job.id) for job in house.store.all(*kinds)]


def _on(
    event: Any, function: Callable[..., Any], inputs: list[Any], outputs: list[Any], js: str | None = None
) -> None:
    """What every event has in common: nothing is drawn over what it changes, and no address is published for it.

    Gradio's own reading of values is off: it knows the lists of choices that a page was sent last, and fails where
    two answers crossed on their way. Here ids are looked up, and what is no longer there is said in a sentence.
    """

    def called(*given: Any) -> Any:
        return function(*(_plain(component, value) for component, value in zip(inputs, given, strict=True)))

    event(
        called,
        inputs,
        outputs,
        js=js,
        preprocess=False,
        show_progress="hidden",
        api_visibility="private",
        concurrency_limit=None,
    )


def _plain(component: Any, value: Any) -> Any:
    """A value of the type that a component has, whatever a browser sends."""
    match component:
        case gr.State():
            return value  # has never left the server
        case gr.File():
            return value if isinstance(value, dict) and isinstance(value.get("path"), str) else None
        case gr.Checkbox():
            return value is True
        case gr.Number():
            real = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            return value if real else None
        case _:
            return value if isinstance(value, str) else ""


def _uploaded(page: gr.Blocks, path: str) -> Path:
    """The file that Gradio received; it must lie where uploads do.

    Raises:
        UsageError: It lies elsewhere.
    """
    folder = Path(page.GRADIO_CACHE).resolve()
    place = Path(path).resolve()
    if not (place.is_relative_to(folder) and place.is_file()):
        raise UsageError("this is no upload", hint="choose the file again")
    return place
