"""Figure S9: the architecture of the networks, drawn from the built networks."""

import math
from dataclasses import dataclass

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from deepr.figures import style
from deepr.networks.description import count_samplings

COLOURS = {
    "convolution": "#a9c4e6",
    "pooled": "#f3d3cf",
    "transposed": "#f0c48a",
    "copied": "#ffffff",
    "dense": "#c9b6dd",
}
ARROWS = {"down": "#b3261e", "up": "#b06a00", "skip": "#777777", "residual": "#5b3fa0", "forward": "#222222"}
INK = "#222222"

# Drawn height by level: true sizes, halved at each level, would vanish.
TOP_HEIGHT_MM, LEVEL_SHRINKS, LEVEL_DROP_MM = 22.0, 0.76, 10.5


@dataclass
class Box:
    """A feature map on the canvas, in mm from the upper left corner."""

    x: float
    top: float
    width: float
    height: float
    kind: str
    channels: int
    level: int | None
    stage: int

    @property
    def middle(self):
        return self.top + self.height / 2

    @property
    def centre(self):
        return self.x + self.width / 2


@style.paper_style
def draw_figure_s9(layers, scale, output_base):
    """Draw Figure S9 and write it as PDF, SVG, PNG and a table of every layer.

    Parameters
    ----------
    layers : DataFrame
        Every layer of the built networks, from `deepr.networks.description.describe_network`, with the
        column network ("generator" or "discriminator") besides.
    scale : str
    output_base : str or Path
        Path without suffix.

    Notes
    -----
    A concatenation with an earlier stage is drawn as a skip, an addition within a stage as a residual.
    Heights shrink more slowly than the images do, widths grow with the logarithm of the channels.
    """
    generator, discriminator = (layers[layers["network"] == name] for name in ("generator", "discriminator"))
    height_mm = 136
    figure = style.new_figure(height_mm)
    canvas = style.axes_mm(figure, 0, 0, style.PAGE_WIDTH_MM, height_mm)
    canvas.set(xlim=(0, style.PAGE_WIDTH_MM), ylim=(height_mm, 0))
    style.bare(canvas)
    _draw_title(canvas, "a", 3.5, "Generator", generator)
    _draw_u_net(canvas, generator, top_mm=12)
    _draw_title(canvas, "b", 87, "Discriminator", discriminator)
    _draw_row(canvas, discriminator, middle_mm=106)
    _draw_legend(figure)
    note = f"Drawn from the built networks. Scale: {scale}."
    figure.text(0.995, 0.004, note, ha="right", va="bottom", size=5.5, color=style.NOTE_COLOUR)
    style.save_figure(figure, output_base)
    style.save_numbers(layers, output_base)


def lay_out(description, left_mm, pitch_mm, top_of, height_of):
    """Place the feature maps of a described network from left to right.

    Parameters
    ----------
    description : DataFrame
        From `describe_network`.
    left_mm, pitch_mm : float
        Left edge of the first map and distance to the next.
    top_of, height_of : callable
        Place and height in mm of a map of a level (None for what is no image).

    Returns
    -------
    boxes : dict of str to Box
        By layer; a layer that makes no map of its own (an activation, an addition) has its input's.
    links : list of (str, Box, Box)
        "down", "up" and "forward" between neighbours, "skip" and "residual" beyond them.
    """
    boxes, links, x = {}, [], left_mm
    for row in description.itertuples():
        inputs = [boxes[name] for name in row.inputs.split(",") if name]
        main = max(inputs, key=lambda box: box.stage, default=None)
        kind = _map_kind(row.kind)
        if kind:
            level = None if pd.isna(row.level) else int(row.level)
            channels = main.channels if kind == "pooled" else row.channels
            if kind == "copied":
                channels = sum(box.channels for box in inputs if box.stage < row.stage) or row.channels
            box = Box(x, top_of(level), 0, height_of(level), kind, channels, level, row.stage)
            box.width = min(0.86 * pitch_mm, 0.9 + 0.36 * math.log2(max(1, channels)))
            x += pitch_mm
            boxes[row.layer] = box
            if kind == "copied":
                links += [("skip", other, box) for other in inputs if other.stage < row.stage]
            elif main is not None:
                links.append((_direction(main, box), main, box))
        else:
            boxes[row.layer] = main
            links += [("residual", other, main) for other in inputs if other is not main]
    return boxes, links


def _map_kind(layer_kind):
    """Colour group of a layer's map, or nothing for layers that change a map in place."""
    if layer_kind.endswith("Transpose") or layer_kind.startswith("UpSampling"):
        return "transposed"
    if layer_kind == "Concatenate":
        return "copied"
    if layer_kind == "InputLayer" or layer_kind.startswith("Conv"):
        return "convolution"
    if layer_kind == "Dense" or layer_kind.startswith("Global"):
        return "dense"
    return "pooled" if "Pooling" in layer_kind else ""


def _direction(source, target):
    if source.level == target.level or target.level is None:
        return "forward"
    return "down" if target.level > source.level else "up"


def _draw_title(canvas, letter, y, name, description):
    down, up = count_samplings(description)
    kernels = sorted(set(description["kernel"]) - {""})
    parts = [f"{description['parameters'].sum():,} parameters", f"{down} down-samplings"]
    parts += [f"{up} up-samplings"] if up else []
    parts += [f"kernels {', '.join(kernels).replace('x', ' × ')}"]
    canvas.text(0.5, y, letter, size=10, weight="bold", va="center")
    canvas.text(6, y, name, size=8, weight="bold", va="center")
    canvas.text(34, y, ", ".join(parts), va="center", color=style.NOTE_COLOUR)


def _draw_u_net(canvas, description, top_mm):
    maps = sum(bool(_map_kind(kind)) for kind in description["kind"])
    boxes, links = lay_out(
        description,
        left_mm=7,
        pitch_mm=(style.PAGE_WIDTH_MM - 10) / maps,
        top_of=lambda level: top_mm + LEVEL_DROP_MM * level,
        height_of=lambda level: TOP_HEIGHT_MM * LEVEL_SHRINKS**level,
    )
    for kind, source, target in links:
        # Paths keep apart: skips run above their level, residuals below it, the way down and up between.
        below = max(source.top + source.height, target.top + target.height)
        if kind == "skip":
            y = target.top - 1.8
            path = [(source.centre, source.top), (source.centre, y), (target.centre, y)]
            _arrow(canvas, [*path, (target.centre, target.top)], kind)
        elif kind == "residual":
            path = [(source.centre, below + 2.6), (source.centre, below + 4), (target.centre, below + 4)]
            _arrow(canvas, [*path, (target.centre, below + 2.4)], kind)
        elif kind == "down":
            y = min(target.top - 3, source.top + source.height - 0.8)
            path = [(source.x + source.width, y), (target.centre, y), (target.centre, target.top)]
            _arrow(canvas, path, kind)
        elif kind == "up":
            y = min(target.top + 0.7 * target.height, source.top - 1.5)
            _arrow(canvas, [(source.centre, source.top), (source.centre, y), (target.x, y)], kind)
    _draw_boxes(canvas, boxes)
    stages = {}
    for box in boxes.values():
        stages.setdefault(box.stage, []).append(box)
    for stage in stages.values():
        x = (stage[0].x + stage[-1].x + stage[-1].width) / 2
        bottom = max(box.top + box.height for box in stage)
        canvas.text(x, bottom + 4.6, _size(stage[0].level), ha="center", va="top", size=5.5)


def _size(level):
    return "full size" if level == 0 else f"1/{2**level}"


def _draw_row(canvas, description, middle_mm):
    maps = sum(bool(_map_kind(kind)) for kind in description["kind"])

    def height_of(level):
        return 4.0 if level is None else TOP_HEIGHT_MM * LEVEL_SHRINKS**level

    boxes, links = lay_out(
        description,
        left_mm=8,
        pitch_mm=(style.PAGE_WIDTH_MM - 10) / maps,
        top_of=lambda level: middle_mm - height_of(level) / 2,
        height_of=height_of,
    )
    for kind, source, target in links:
        path = [(source.x + source.width, source.middle), (target.x, target.middle)]
        _arrow(canvas, path, kind)
    _draw_boxes(canvas, boxes)
    kinds = description.set_index("layer")["kind"]
    labelled = set()
    for layer, box in boxes.items():
        text = _size(box.level) if box.level is not None else _plain_name(kinds[layer])
        # A level is named where it begins, what is no image wherever it has a map of its own.
        if (box.level is None and _map_kind(kinds[layer])) or (box.level is not None and text not in labelled):
            canvas.text(box.centre, box.top - 0.8, text, ha="center", va="bottom", size=5.5)
        labelled.add(text)


def _plain_name(layer_kind):
    return "average" if layer_kind.startswith("Global") else layer_kind.lower()


def _draw_boxes(canvas, boxes):
    for box in {id(box): box for box in boxes.values()}.values():
        canvas.add_patch(
            Rectangle((box.x, box.top), box.width, box.height, fc=COLOURS[box.kind], ec=INK, lw=0.4, zorder=3)
        )
        size = 4.8 if box.channels < 1000 else 4.2
        below = box.top + box.height + 0.5
        canvas.text(box.centre, below, f"{box.channels}", ha="center", va="top", size=size)


def _arrow(canvas, points, kind):
    """Draw a path of straight lines with a head at its end."""
    x, y = zip(*points, strict=True)
    canvas.plot(x, y, color=ARROWS[kind], lw=0.7, solid_joinstyle="round", zorder=2)
    canvas.annotate(
        "",
        points[-1],
        points[-2],
        arrowprops={
            "arrowstyle": "-|>,head_length=0.22,head_width=0.11",
            "color": ARROWS[kind],
            "lw": 0.7,
            "shrinkA": 0,
            "shrinkB": 0,
        },
        zorder=4,
    )


def _draw_legend(figure):
    labels = {
        "convolution": "Input and convolutions",
        "pooled": "Max-pooled",
        "transposed": "Transposed convolution",
        "copied": "Copied by a skip",
        "dense": "Average and fully connected",
    }
    handles = [Patch(fc=COLOURS[kind], ec=INK, lw=0.4, label=label) for kind, label in labels.items()]
    lines = {
        "down": "Halves the image",
        "up": "Doubles the image",
        "skip": "Skip, concatenated",
        "residual": "Residual, added",
    }
    handles += [Line2D([], [], color=ARROWS[kind], lw=1, label=label) for kind, label in lines.items()]
    figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.02), ncols=5, columnspacing=1.5)
    figure.text(0.005, 0.004, "Numbers below the maps: channels.", size=5.5, color=style.NOTE_COLOUR, va="bottom")
