"""Figure 8: images that Deep-Z defocused onto tilted and curved surfaces, and what Deep-R makes of them."""

import numpy as np

from deepr.figures import style
from deepr.metrics import normalise, rmse, ssim
from deepr.slides import open_slide
from deepr.surfaces import SURFACES

SIZE_MM = 31.0
GAP_MM = 1.5
LEFT_MM = 3.0


@style.paper_style
def draw_figure_8(surfaces, images_path, data_source, scale, output_base):
    """Draw Figure 8 from results and write it as PDF, SVG, PNG and a table of its numbers.

    Parameters
    ----------
    surfaces : DataFrame
        One row per test patch, surface and image: slide, fov, y, x, surface, image ("input" or "output"),
        ssim, rmse.
    images_path : path
        Slide with the series "{patch}_truth", "_surface" (um), "_input" and "_output".
    data_source, scale : str
    output_base : str or Path
        Path without suffix.

    Notes
    -----
    The patch shown is the one whose mean SSIM of the outputs is the median of all (the lower middle one).
    Differences are of normalised images, in absolute value; all share one scale, and the largest is 255.
    """
    patch = typical_patch(surfaces)
    with open_slide(images_path) as slide:
        stacks = {kind: np.array(slide.stack(f"{patch}_{kind}")) for kind in ("truth", "surface", "input", "output")}
        pixel_um = slide.pixel_um
    truth = stacks["truth"][0]
    limits = style.grey_limits(truth)
    errors = {
        (kind, number): np.abs(normalise(stacks[kind][number]) - normalise(truth))
        for kind in ("input", "output")
        for number in range(len(SURFACES))
    }
    largest = max(float(error.max()) for error in errors.values())
    figure = style.new_figure(height_mm=12 + len(SURFACES) * (2 * SIZE_MM + GAP_MM + 7), width_mm=172)
    amplitude_um = float(np.abs(stacks["surface"]).max())
    for number, surface in enumerate(SURFACES):
        top = 8 + number * (2 * SIZE_MM + GAP_MM + 7)
        _draw_surface(figure, top + SIZE_MM / 2 - 4, stacks["surface"][number], surface, pixel_um, amplitude_um)
        x = LEFT_MM + 46
        for row, (kind, label, colour) in enumerate(
            (
                ("input", "Deep-Z, on the surface", style.INPUT_COLOUR),
                ("output", "Deep-R output", style.OUTPUT_COLOUR),
            )
        ):
            y = top + row * (SIZE_MM + GAP_MM)
            image = stacks[kind][number]
            scores = f"SSIM {ssim(image, truth):.3f}\nRMSE {rmse(image, truth):.3f}"
            shown = style.axes_mm(figure, x, y, SIZE_MM, SIZE_MM)
            style.show_image(shown, image, limits)
            style.inset_text(shown, label)
            for spine in shown.spines.values():
                spine.set(visible=True, color=colour, linewidth=1.2)
            style.scale_bar(shown, pixel_um)
            difference = style.axes_mm(figure, x + 2 * (SIZE_MM + GAP_MM), y, SIZE_MM, SIZE_MM)
            difference.imshow(255 * errors[kind, number] / largest, cmap="inferno", vmin=0, vmax=255)
            style.bare(difference)
            style.inset_text(difference, scores)
            reference = style.axes_mm(figure, x + SIZE_MM + GAP_MM, y, SIZE_MM, SIZE_MM)
            style.show_image(reference, truth, limits)
            if number == row == 0:
                for axes, title in ((shown, "Image"), (reference, "Ground truth"), (difference, "Absolute difference")):
                    axes.set_title(title, pad=3)
    bar = style.axes_mm(figure, LEFT_MM + 46 + 3 * (SIZE_MM + GAP_MM), 8, 2, SIZE_MM)
    colours = next(
        axes.images[0] for axes in figure.axes if axes.images and axes.images[0].get_cmap().name == "inferno"
    )
    figure.colorbar(colours, cax=bar, ticks=[0, 255])
    bar.tick_params(labelsize=5.5, length=2)
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    style.save_numbers(surfaces.assign(shown=_names(surfaces) == patch), output_base)


def typical_patch(surfaces):
    """Name the patch of median output SSIM, the lower one of the middle two for an even number."""
    outputs = surfaces[surfaces["image"] == "output"]
    means = outputs.groupby(_names(outputs))["ssim"].mean().sort_values(kind="stable")
    return means.index[(len(means) - 1) // 2]


def _names(table):
    """Name each row's patch as its series are named."""
    place = table[["slide", "fov", "y", "x"]].astype(str)
    return place["slide"] + "_" + place["fov"] + "_y" + place["y"] + "_x" + place["x"]


def _draw_surface(figure, top, surface_um, name, pixel_um, amplitude_um):
    """Draw a surface in perspective, over the coordinates of the image."""
    width, height = figure.get_size_inches() * style.MM_PER_INCH
    box = [LEFT_MM / width, 1 - (top + 42) / height, 44 / width, 42 / height]
    axes = figure.add_axes(box, projection="3d")
    step = max(1, surface_um.shape[0] // 24)
    coarse = surface_um[::step, ::step]
    y, x = (np.arange(size) * step * pixel_um for size in coarse.shape)
    axes.plot_surface(
        *np.meshgrid(x, y), coarse, cmap="viridis", vmin=-amplitude_um, vmax=amplitude_um, lw=0, rstride=1, cstride=1
    )
    axes.set_zlim(-amplitude_um, amplitude_um)
    axes.set_title(name.capitalize(), pad=-2)
    axes.set_xlabel("x (µm)", size=5.5, labelpad=-10)
    axes.set_ylabel("y (µm)", size=5.5, labelpad=-10)
    axes.set_zlabel("dz (µm)", size=5.5, labelpad=-10)
    axes.tick_params(labelsize=5, pad=-4)
    axes.set_box_aspect((1, 1, 0.7), zoom=0.85)
    axes.view_init(elev=24, azim=-58)
    axes.locator_params(nbins=4)
