"""Focus scores and Brent searches against Micro-Manager's ImgSharpnessAnalysis and commons-math3."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from deepr.focus import brent_search, normalized_variance, standard_deviation, vollath4, vollath5

pytestmark = pytest.mark.golden

SCORES = {
    "Volath": vollath4,
    "Volath5": vollath5,
    "StdDev": standard_deviation,
    "NormalizedVariance": normalized_variance,
}


@pytest.mark.parametrize("column", SCORES)
def test_scores_are_the_original_programs(column, golden):
    """Every plane's score differs by less than 1e-10 of itself."""
    stack = tifffile.imread(golden / "edof" / "z8.tif")
    expected = pd.read_csv(golden / "focus" / "scores_z8.csv").set_index("plane")[column]
    assert len(stack) == len(expected)
    scores = [SCORES[column](stack[plane]) for plane in expected.index]
    np.testing.assert_allclose(scores, expected, rtol=1e-10)


@pytest.mark.parametrize("column", ["Volath5", "StdDev"])
def test_scores_of_16_bit_planes_are_the_original_programs(column, golden):
    """Planes of the search's stack score as the original recorded them on its way."""
    recorded = _recorded_scores(golden, column)
    planes = np.load(golden / "focus" / "tissue_planes.npz")
    for plane, image in zip(planes["planes"], planes["stack"], strict=True):
        assert SCORES[column](image) == pytest.approx(recorded[plane], rel=1e-10)


def test_searches_are_the_original_programs(golden):
    """From every start the same positions are visited in the same order, to 1e-6 um."""
    traces = json.loads((golden / "focus" / "brent_traces_tissue.json").read_text())
    assert len(traces) == 18
    for trace in traces:
        recorded = _recorded_scores(golden, trace["method"])

        def score(z_um, recorded=recorded):
            return recorded[int(np.clip(np.floor((z_um + 10) / 0.1 + 0.5), 0, 200))]

        search = brent_search(score, trace["z0"], trace["range"], trace["tol"])
        expected = [z_um for z_um, _, _ in trace["trace_z_plane_score"]]
        np.testing.assert_allclose([z_um for z_um, _ in search.evaluations], expected, rtol=0, atol=1e-6)
        assert search.z_um == pytest.approx(trace["result_z"], abs=1e-6)


def _recorded_scores(golden, method):
    """Score by plane, of every plane that any of the original's searches looked at."""
    traces = json.loads((golden / "focus" / "brent_traces_tissue.json").read_text())
    return {
        plane: score
        for trace in traces
        if trace["method"] == method
        for _, plane, score in trace["trace_z_plane_score"]
    }
