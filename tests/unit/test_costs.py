"""Costs of a plan, on small tables whose results are known by hand."""

import copy

import pandas as pd
import pytest
from deepr.configuration import complete_config
from deepr.costs import Plan, estimate, peak_gb, stage_of, summarise, tflops_of_the_paper
from deepr.networks.operations import operations_of_training, operations_per_pixel
from deepr.planned_slides import PlannedSlide, describe_slides
from deepr.sheets import read_stacks

SIMULATED = {
    "source": "simulate",
    "specimen": "ovary",
    "objective": "40x/0.95",
    "channel": "Cy5",
    "emission_um": 0.692,
    "cover_glass_um": 163,
    "frame_px": 150,
    "patch_px": 64,
    "slides": {
        "training": {"count": 2, "fields": 3, "z_um": {"start": -2, "stop": 2, "step": 1}},
        "test": {"count": 1, "fields": 1, "z_um": {"start": -2, "stop": 2, "step": 0.5}},
    },
}


def made_plan(jobs, voxels=1000.0, base_channels=4, iterations=10, threads=2):
    """A plan of one data set with one slide each for training and testing."""
    config = complete_config(
        {
            "scale": "paper",
            "networks": "networks.tsv",
            "stacks": "stacks.tsv",
            "datasets": {"mine": copy.deepcopy(SIMULATED)},
            "training": {"base_channels": base_channels, "iterations": iterations, "crop_px": 32, "threads": threads},
        }
    )
    networks = pd.DataFrame(
        [{"name": "net", "kind": "deepr", "datasets": "mine", "range_um": 5, "iterations": 0, "crop_px": 0}]
    )
    slide = {"fields": 1, "planes": 10, "pixels": voxels / 10, "window": voxels / 20, "samples": 1, "sample_bytes": 2}
    slides = {"mine": {split: PlannedSlide(split=split, **slide, truth_planes=5) for split in ("train", "test")}}
    return Plan(jobs, config, networks.set_index("name", drop=False), slides)


def job(rule, threads=1, mem_mb=1000, gpu=0, **wildcards):
    return {"rule": rule, "wildcards": wildcards, "threads": threads, "mem_mb": mem_mb, "gpu": gpu, "benchmark": "x"}


def measured(*rows):
    """Rows of (job's number, rule, data set, threads, seconds, of which working)."""
    columns = ["job", "rule", "dataset", "threads", "seconds", "working_s"]
    return pd.DataFrame(rows, columns=columns).assign(output_bytes=1e9, asked_mb=1000.0, measured_mb=500.0)


ALIGN = job("align_slide", threads=2, dataset="mine", slide="train")


def test_jobs_of_a_slide_grow_with_its_voxels_and_start_once():
    """11 s on 2 cores, 1 s of them to start: ten times the voxels take 100 s and 1 s, 202 core seconds."""
    small, large = made_plan([ALIGN]), made_plan([ALIGN], voxels=10_000.0)
    costs = estimate(large, small, measured((0, "align_slide", "mine", 2, 11.0, 10.0)))
    assert costs["core_h"].tolist() == pytest.approx([202 / 3600])
    assert costs["gpu_h"].tolist() == [0]


def test_one_slow_job_does_not_decide():
    """Of three measured jobs the median counts, and the spread says how far they differ."""
    plan = made_plan([ALIGN])
    rows = [(0, "align_slide", "mine", 2, seconds, seconds) for seconds in (10.0, 12.0, 60.0)]
    costs = estimate(plan, plan, measured(*rows))
    assert costs["core_h"].tolist() == pytest.approx([24 / 3600])
    assert costs["spread"].tolist() == pytest.approx([6.0])


def test_a_data_set_that_was_not_measured_takes_the_rates_of_the_others():
    """The same rule on other data is the best guess there is."""
    plan = made_plan([ALIGN])
    other = plan._replace(
        slides={"other": plan.slides["mine"]}, jobs=[{**ALIGN, "wildcards": {"dataset": "other", "slide": "train"}}]
    )
    costs = estimate(other, plan, measured((0, "align_slide", "mine", 2, 10.0, 10.0)))
    assert costs["core_h"].tolist() == pytest.approx([20 / 3600])


def test_what_was_not_measured_is_missing_and_counted():
    """A rule of which no job ran has no cost, which is not a cost of nothing."""
    plan = made_plan([ALIGN, job("fuse_extended_depth_of_field", dataset="mine", slide="train")])
    costs = estimate(plan, plan, measured((0, "align_slide", "mine", 2, 10.0, 10.0)))
    assert costs["core_h"].isna().tolist() == [False, True]
    total = summarise(costs, "stage", ["alignment", "extended depth of field"]).set_index("stage").loc["total"]
    assert (total["jobs"], total["unmeasured"]) == (2, 1)


def test_a_target_is_no_job():
    """Rules that only gather files have no benchmark and cost nothing."""
    plan = made_plan([ALIGN, {**job("all"), "benchmark": None}])
    assert len(estimate(plan, plan, measured((0, "align_slide", "mine", 2, 10.0, 10.0)))) == 1


def test_testing_grows_with_the_square_of_the_width():
    """Twice as many channels, four times the operations."""
    test = job("test_network", threads=2, network="net", dataset="mine")
    narrow, wide = made_plan([test]), made_plan([test], base_channels=8)
    costs = estimate(wide, narrow, measured((0, "test_network", "mine", 2, 5.0, 5.0)))
    assert costs["core_h"].tolist() == pytest.approx([4 * 10 / 3600])


def test_a_training_takes_its_operations_on_a_gpu_and_holds_its_cores():
    """So many operations at 2e12 per second; without a GPU as long as measured, per operation."""
    train = job("train_network", threads=2, gpu=1, network="net")
    short, long = made_plan([train]), made_plan([train], iterations=1000)
    costs = estimate(long, short, measured((0, "train_network", "", 2, 30.0, 30.0)), gpu_tflops=2.0)
    operations = operations_of_training("deepr", long.config["training"])
    assert costs["gpu_h"].tolist() == pytest.approx([operations / 2e12 / 3600])
    assert costs["core_h"].tolist() == pytest.approx([2 * operations / 2e12 / 3600])
    assert costs["core_h_without_gpu"].tolist() == pytest.approx([100 * 60 / 3600])


def test_the_papers_time_asks_for_a_speed():
    """100,000 iterations in 30 h, whatever the config's own number of iterations is."""
    operations = operations_of_training("deepr", made_plan([], iterations=100_000).config["training"])
    assert tflops_of_the_paper(made_plan([], iterations=7)) == pytest.approx(operations / 108_000 / 1e12)


def test_operations_are_those_of_the_convolutions():
    """The discriminator's first of six blocks by hand: 3 x 3 x (1 x 4) at full size, 3 x 3 x (4 x 8) at half."""
    passes = operations_per_pixel(4, 4, 1, 1)
    expected = 2 * 9 * (1 * 4 + 4 * 8 / 4)
    for block in range(1, 6):
        width = 4 * 2**block
        expected += 2 * 9 * (width * width + width * 2 * width / 4) / 4**block
    assert passes["discriminator"] == pytest.approx(expected)
    assert passes["generator"] == pytest.approx(passes["down"] + passes["up"])


def test_an_iteration_counts_its_updates():
    """Three batches of 5: each two generator updates through the discriminator and one discriminator update."""
    settings = made_plan([], iterations=1).config["training"] | {"validation_pairs": 0, "discriminator_channels": 4}
    passes = operations_per_pixel(4, 4, 1, 1)
    per_image = 2 * (3 * passes["generator"] + 2 * passes["discriminator"]) + 6 * passes["discriminator"]
    assert operations_of_training("deepr", settings) == pytest.approx(32**2 * 3 * 5 * per_image)


def test_simulated_slides_are_as_large_as_the_config_says(tmp_path):
    """Frames of 150 px hold 2 x 2 patches of 64 px; planes, fields and noise-free planes follow from z."""
    config = made_plan([]).config
    slides = describe_slides(config, pd.DataFrame(columns=["dataset"]))["mine"]
    assert list(slides) == ["training1", "training2", "test1"]
    slide = slides["training2"]
    assert (slide.split, slide.voxels) == ("train", 3 * 5 * 150**2)
    assert (slide.raw_bytes, slide.aligned_bytes) == (2 * 3 * 5 * 150**2, 2 * 3 * 5 * 128**2)
    assert (slide.composite_bytes, slide.truth_bytes) == (4 * 3 * 128**2, 4 * 3 * 2 * 150**2)
    assert slides["test1"].refocused_bytes == 4 * 9 * 128**2
    assert slides["test1"].truth_planes == 8


def test_own_slides_are_as_large_as_their_files(tmp_path):
    """Two fields of 3 and 5 planes of 8 bits: the voxels and bytes of both."""
    import numpy as np
    import tifffile

    head = "dataset slide fov split path axes channel channel_index pixel_um step_um z_um objective".split()
    lines = ["\t".join(head)]
    for field, planes in (("f1", 3), ("f2", 5)):
        image = np.arange(planes * 40 * 60, dtype=np.uint32).astype(np.uint8).reshape(planes, 40, 60)
        tifffile.imwrite(tmp_path / f"{field}.tif", image, photometric="minisblack")
        lines.append(
            "\t".join(["mine", "s", field, "test", f"{field}.tif", "ZYX", "Cy5", "", "0.3", "0.5", "", "20x/0.75"])
        )
    (tmp_path / "stacks.tsv").write_text("\n".join(lines) + "\n")
    config = {"datasets": {"mine": {"source": "stacks", "patch_px": 32}}, "microscope": {"truth_range_um": 2.0}}
    slide = describe_slides(config, read_stacks(tmp_path / "stacks.tsv"))["mine"]["s"]
    assert (slide.split, slide.fields, slide.voxels) == ("test", 2, 8 * 40 * 60)
    assert slide.raw_bytes == pytest.approx(8 * 40 * 60)
    assert slide.aligned_bytes == pytest.approx(8 * 32 * 32)


def test_disk_counts_raw_slides_only_while_they_are_there():
    """Two slides of 2 GB that become 1 GB: 2 GB are kept, 2 more at worst, and a raw slide more while it is aligned."""
    jobs = [
        job(rule, dataset="mine", slide=slide)
        for rule in ("acquire_slide", "align_slide")
        for slide in ("train", "test")
    ]
    plan = made_plan(jobs, voxels=1e9)
    plan = plan._replace(
        slides={"mine": {name: PlannedSlide("train", 1, 10, 1e8, 5e7, 1, 2) for name in ("train", "test")}}
    )
    rows = [(0, "acquire_slide", "mine", 1, 1.0, 1.0), (2, "align_slide", "mine", 1, 1.0, 1.0)]
    costs = estimate(plan, plan, measured(*rows))
    assert costs["kept_gb"].sum() == pytest.approx(2)
    assert costs["temporary_gb"].sum() == pytest.approx(4)
    assert peak_gb(costs, at_once=1) == pytest.approx(2 + 2 + 2)


def test_sums_are_those_of_the_jobs():
    """By stage in the order asked for, and all together; memory is the largest and not the sum."""
    plan = made_plan([ALIGN, {**ALIGN, "mem_mb": 3000}, job("draw_figure_2")])
    rows = [(0, "align_slide", "mine", 2, 10.0, 10.0), (2, "draw_figure_2", "", 1, 36.0, 30.0)]
    table = summarise(estimate(plan, plan, measured(*rows)), "stage", ["alignment", stage_of("draw_figure_2")])
    assert table["stage"].tolist() == ["alignment", "figures, tables, report", "total"]
    assert table["jobs"].tolist() == [2, 1, 3]
    assert table["core_h"].tolist() == pytest.approx([40 / 3600, 36 / 3600, 76 / 3600])
    assert table["memory_gb"].tolist() == [3.0, 1.0, 3.0]


def test_public_slides_are_dealt_wells_like_cards():
    """Ten wells, at most four to a slide: slides of four, three and three wells with two fields each."""
    wells = {"wells": {"training": 10, "test": 2}, "wells_per_slide": 4}
    settings = {"source": "files", "planes": {"first": 8, "last": 24}, "patch_px": 256, **wells}
    config = {"datasets": {"nuclei": settings}, "microscope": {"truth_range_um": 2.0}}
    slides = describe_slides(config, pd.DataFrame(columns=["dataset"]))["nuclei"]
    assert {name: slide.fields for name, slide in slides.items()} == {
        **{"training1": 8, "training2": 6, "training3": 6},
        "test1": 4,
    }
    assert (slides["test1"].planes, slides["test1"].pixels, slides["test1"].window) == (17, 520 * 696, 4 * 256**2)
