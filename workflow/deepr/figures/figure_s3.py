"""Figure S3: beads in a volume, one image of them refocused by two networks."""

import numpy as np
from matplotlib.patches import Circle

from deepr.figures import style
from deepr.slides import open_slide

SIZE_MM = 42.0
ZOOM_PX = 150


@style.paper_style
def draw_figure_s3(table, images_path, networks, ranges_um, data_source, scale, output_base):
    """Draw Figure S3 and write it as PDF, SVG, PNG and a table of its numbers.

    Parameters
    ----------
    table : DataFrame
        As `deepr.volume.measure_volume` makes it, with slide and fov.
    images_path : str or Path
        One series "{slide}_{fov}" per field: input, the networks' outputs, projection.
    networks : list of str
        The smaller range first.
    ranges_um : list of float
    data_source, scale, output_base
        As for `deepr.figures.figure_2.draw_figure_2`.

    Notes
    -----
    The first field is shown, whole and round the bead between the two ranges that lies nearest to their
    middle. Circles mark the beads between the two ranges.
    """
    with open_slide(images_path) as series:
        name = series.fields[0]
        images, pixel_um = np.asarray(series.stack(name)), series.pixel_um
    slide, field = name.rsplit("_", 1)
    own = table[(table["slide"] == slide) & (table["fov"] == field) & (table["image"] == "input")]
    between = own[own["bead_z_um"].abs().between(ranges_um[0] + 1e-3, ranges_um[1] + 1e-3)]
    titles = [
        ("Input, one plane", style.INPUT_COLOUR),
        (f"Deep-R, ±{ranges_um[0]:g} µm", style.OUTPUT_COLOUR),
        (f"Deep-R, ±{ranges_um[1]:g} µm", style.SECOND_COLOUR),
        ("Projection of the stack", style.TRUTH_COLOUR),
    ]
    figure = style.new_figure(height_mm=2 * SIZE_MM + 16)
    window = _zoom(between, ranges_um, images.shape[1:])
    for column, ((title, colour), image) in enumerate(zip(titles, images, strict=True)):
        shown = image - np.median(image)
        limits = (0, np.percentile(shown, 99.9))
        for line, part in enumerate((None, window)):
            axes = style.axes_mm(figure, 3 + column * (SIZE_MM + 2), 6 + line * (SIZE_MM + 1.5), SIZE_MM, SIZE_MM)
            whole = part is None
            axes.imshow(shown if whole else shown[part], cmap="gray", vmin=limits[0], vmax=max(limits[1], 1e-6))
            style.bare(axes)
            if whole:
                axes.set_title(title, color=colour, pad=2.5)
            for _, bead in between.iterrows():
                y, x = bead["y_px"], bead["x_px"]
                if not whole:
                    y, x = y - part[0].start, x - part[1].start
                    if not (0 <= y < ZOOM_PX and 0 <= x < ZOOM_PX):
                        continue
                radius = 2.2 / pixel_um
                axes.add_patch(Circle((x, y), radius, fill=False, ec=style.BEST_COLOUR, lw=0.8))
            style.scale_bar(axes, pixel_um, None if whole else 5.0)
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    style.save_numbers(table, output_base)


def _zoom(between, ranges_um, shape):
    """Give the window round the bead between the ranges that is nearest to their middle, else the image's middle."""
    middle = np.array(shape) / 2
    if len(between):
        middle_um = sum(ranges_um) / 2
        bead = between.iloc[int((between["bead_z_um"].abs() - middle_um).abs().argmin())]
        middle = bead[["y_px", "x_px"]].to_numpy(float)
    size = [min(ZOOM_PX, side) for side in shape]
    corner = [int(np.clip(m - s / 2, 0, side - s)) for m, s, side in zip(middle, size, shape, strict=True)]
    return tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))
