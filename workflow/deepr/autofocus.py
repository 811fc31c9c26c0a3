"""The mechanical search that Deep-R saves: simulated on a bead slide, with a clock for stage and camera."""

import time

import numpy as np

from deepr.focus import brent_search, normalized_variance, standard_deviation, vollath4, vollath5
from deepr.optics.acquisition import COVER_GLASS_UM
from deepr.optics.imaging import ImageFormation
from deepr.optics.microscope import Microscope, Timing
from deepr.optics.objective import OBJECTIVES
from deepr.optics.specimens import make_specimen, slide_parameters
from deepr.randomness import random_generator

SCORES = {"VOL4": vollath4, "VOL5": vollath5, "STD": standard_deviation, "NVAR": normalized_variance}
OBJECTIVE = "20x/0.75"
EMISSION_UM = 0.624
CAMERA_PX = 2048
START_RANGE_UM = 8.0
SEARCH_RANGE_UM = 20.0
FRAME_AREA_MM2 = (CAMERA_PX * OBJECTIVES[OBJECTIVE].pixel_um / 1000) ** 2
# A search that ends farther from the focus has not found it; the depth of field is 1.1 um.
FOUND_UM = 1.0


def search_fields(fields, starts, frame_px, seed, repeats=5):
    """Focus simulated fields of beads from several heights with every score.

    Parameters
    ----------
    fields, starts : int
        Fields, and heights within 8 um of focus to start from in each; the same for every score.
    frame_px : int
        Side of the simulated frame; a search needs images, not a whole camera of them.
    seed : int
    repeats : int
        How often a score is timed on a whole camera frame; the least counts.

    Returns
    -------
    list of dict
        One per score, field and start: score, field, start_um, evaluations, exposure_s, stage_s, transfer_s,
        score_s (each per evaluation), seconds (all together, the final exposure left out as in the paper),
        seconds_per_mm2, error_um, found.
    """
    lens, timing = OBJECTIVES[OBJECTIVE], Timing()
    score_s = time_scores(seed, repeats)
    formation = ImageFormation(
        lens,
        EMISSION_UM,
        frame_px,
        max_defocus_um=START_RANGE_UM + SEARCH_RANGE_UM,
        cover_glass_um=COVER_GLASS_UM[OBJECTIVE],
    )
    parameters = slide_parameters("beads", random_generator(seed, "autofocus", "slide"))
    rows = []
    for field in range(1, fields + 1):
        rng = random_generator(seed, "autofocus", f"f{field}")
        specimen = make_specimen("beads", (formation.grid_px, formation.grid_px), lens.pixel_um, rng, **parameters)
        heights_um = rng.uniform(-START_RANGE_UM, START_RANGE_UM, starts)
        for name, score in SCORES.items():
            for start_um in heights_um:
                noise = random_generator(seed, "autofocus", f"f{field}", name, f"{start_um:.6f}")
                # The stage stands in focus; the search begins where it was moved to.
                microscope = Microscope(formation, specimen, noise, timing=timing, start_range_um=0.0)
                found = brent_search(
                    lambda z_um, microscope=microscope, score=score: score(microscope.snap(z_um)),
                    start_um=float(start_um),
                    range_um=SEARCH_RANGE_UM,
                )
                count = len(found.evaluations)
                each_s = timing.exposure_s + timing.settling_s + timing.transfer_s + score_s[name]
                rows.append(
                    {
                        "score": name,
                        "field": field,
                        "start_um": round(float(start_um), 4),
                        "evaluations": count,
                        "exposure_s": timing.exposure_s,
                        "stage_s": timing.settling_s,
                        "transfer_s": timing.transfer_s,
                        "score_s": score_s[name],
                        "seconds": count * each_s,
                        "seconds_per_mm2": count * each_s / FRAME_AREA_MM2,
                        "error_um": float(found.z_um - microscope.focus_z_um),
                        "found": bool(abs(found.z_um - microscope.focus_z_um) <= FOUND_UM),
                    }
                )
    return rows


def time_scores(seed, repeats=5):
    """Time every score on a whole camera frame, in seconds; the least of several runs."""
    frame = random_generator(seed, "frame").integers(100, 4000, (CAMERA_PX, CAMERA_PX)).astype(np.uint16)
    seconds = {}
    for name, score in SCORES.items():
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            score(frame)
            times.append(time.perf_counter() - started)
        seconds[name] = min(times)
    return seconds
