"""The slides that a config plans, with the size of their stacks, before any of them exists."""

import math
from dataclasses import dataclass

from deepr.bbbc006 import SHAPE, SITES
from deepr.configuration import PUBLIC, planes_um
from deepr.stacks import check_stack, check_stacks

FLOAT_BYTES = 4


@dataclass(frozen=True)
class PlannedSlide:
    """A slide of z-stacks and the size of what becomes of it.

    Attributes
    ----------
    split : {"train", "test"}
    fields : int
    planes : float
        Of a field; the mean, where a person's own stacks differ.
    pixels : float
        Of a plane as acquired.
    window : float
        Pixels of a plane once alignment has cropped it to whole patches: at most so many.
    samples : int
        1, or 3 in colour.
    sample_bytes : float
    truth_planes : int
        Noise-free planes that the simulator keeps of a field: about so many, for the focus may lie between two.
    """

    split: str
    fields: int
    planes: float
    pixels: float
    window: float
    samples: int
    sample_bytes: float
    truth_planes: int = 0

    @property
    def voxels(self):
        """Fields x planes x pixels x samples, as acquired."""
        return self.fields * self.planes * self.pixels * self.samples

    @property
    def raw_bytes(self):
        """Size of the raw slide."""
        return self.voxels * self.sample_bytes

    @property
    def truth_bytes(self):
        """Size of the noise-free planes."""
        return self.fields * self.truth_planes * self.pixels * self.samples * FLOAT_BYTES

    @property
    def aligned_bytes(self):
        """Size of the aligned slide, which is cropped."""
        return self.fields * self.planes * self.window * self.samples * self.sample_bytes

    @property
    def composite_bytes(self):
        """Size of the all-in-focus images, one per field."""
        return self.fields * self.window * self.samples * FLOAT_BYTES

    @property
    def refocused_bytes(self):
        """Size of what a network makes of every plane."""
        return self.fields * self.planes * self.window * self.samples * FLOAT_BYTES


def describe_slides(config, own_stacks):
    """Say how large every slide of a config is.

    Parameters
    ----------
    config : dict
        Completed config.
    own_stacks : pandas.DataFrame
        Of `deepr.sheets.read_stacks`; rows of other data sets are left out.

    Returns
    -------
    dict of dict of PlannedSlide
        By data set and slide.
    """
    planned = {}
    for dataset, settings in config["datasets"].items():
        if settings["source"] == "simulate":
            slides = _simulated(settings, config["microscope"]["truth_range_um"])
        elif settings["source"] in PUBLIC:
            slides = _public(settings)
        else:
            slides = _own(own_stacks[own_stacks["dataset"] == dataset], settings["patch_px"])
        planned[dataset] = dict(slides)
    return planned


def _window(height_px, width_px, patch_px):
    return (height_px // patch_px) * (width_px // patch_px) * patch_px**2


def _simulated(settings, truth_range_um):
    samples = 3 if isinstance(settings["emission_um"], list) else 1
    frame_px = settings["frame_px"]
    for kind, split in (("training", "train"), ("test", "test")):
        if kind not in settings["slides"]:
            continue
        z_um = settings["slides"][kind]["z_um"]
        planes = len(planes_um(z_um))
        near_um = max(truth_range_um, z_um["step"]) if split == "test" else z_um["step"]
        near_planes = round(2 * near_um / (z_um["fine_step"] if z_um["fine_within"] else z_um["step"]))
        slide = PlannedSlide(
            split=split,
            fields=settings["slides"][kind]["fields"],
            planes=planes,
            pixels=frame_px**2,
            window=_window(frame_px, frame_px, settings["patch_px"]),
            samples=samples,
            # 16 bits in grey, 8 per colour.
            sample_bytes=2 if samples == 1 else 1,
            truth_planes=min(planes, near_planes),
        )
        yield from ((f"{kind}{number}", slide) for number in range(1, settings["slides"][kind]["count"] + 1))


def _public(settings):
    for kind, split in (("training", "train"), ("test", "test")):
        wells = settings["wells"].get(kind, 0)
        count = math.ceil(wells / settings["wells_per_slide"])
        for number in range(count):
            yield (
                f"{kind}{number + 1}",
                PlannedSlide(
                    split=split,
                    # Wells are dealt out like cards.
                    fields=len(SITES) * len(range(number, wells, count)),
                    planes=settings["planes"]["last"] - settings["planes"]["first"] + 1,
                    pixels=math.prod(SHAPE),
                    window=_window(*SHAPE, settings["patch_px"]),
                    samples=1,
                    sample_bytes=2,
                ),
            )


def _own(rows, patch_px):
    facts = check_stacks(rows)
    for slide, fields in rows.groupby("slide"):
        shapes = [check_stack(row) for _, row in fields.iterrows()]
        samples = int(facts.loc[fields.index[0], "channels"])
        planes = sum(shape[0] for shape in shapes)
        pixels = sum(math.prod(shape[:3]) for shape in shapes)
        window = sum(shape[0] * _window(*shape[1:3], patch_px) for shape in shapes)
        yield (
            slide,
            PlannedSlide(
                split=fields["split"].iloc[0],
                fields=len(shapes),
                planes=planes / len(shapes),
                pixels=pixels / planes,
                window=window / planes,
                samples=samples,
                sample_bytes=1e6 * facts.loc[fields.index, "stack_mb"].sum() / (pixels * samples),
            ),
        )
