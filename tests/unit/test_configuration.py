"""A config is refused in one sentence, or complete."""

import copy
import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from deepr.configuration import SCHEMA, complete_config, planes_um, training_settings
from deepr.plan_checks import check_mixtures, check_plan, check_sources
from deepr.tables import InputError

# Keys that may be absent, with a meaning of its own.
OPTIONAL = {"config.datasets.*.slides.training", "config.datasets.*.wells.training"}
SHIPPED = ["config/config.yaml", "config/paper.yaml", "tests/config/config.yaml"]


@pytest.fixture
def config(repository):
    return yaml.safe_load((repository / "config/config.yaml").read_text())


def networks(**changes):
    row = {"name": "ovary_5", "kind": "deepr", "datasets": "ovary", "range_um": 5.0, "start_from": ""}
    row |= {"iterations": 0, "crop_px": 0}
    return pd.DataFrame([{**row, **changes}])


NO_STACKS = pd.DataFrame({"dataset": [], "slide": [], "split": []})


@pytest.mark.parametrize("path", SHIPPED)
def test_shipped_configs_are_accepted(repository, path):
    """Every config in the repository fits the schema and its own plan."""
    config = complete_config(yaml.safe_load((repository / path).read_text()))
    check_plan(config, networks(), NO_STACKS)
    assert config["training"]["batches_per_iteration"] == 3


def test_a_network_starts_from_one_of_its_own_width_only(config, tmp_path):
    """Said before anything is aligned, not at the start of the training."""
    config, start = complete_config(config), networks(start_from=str(tmp_path))
    with pytest.raises(InputError, match=r"start_from has no .*config\.json; wanted the folder as its training"):
        check_plan(config, start, NO_STACKS)
    for width, refused in ((8, False), (24, True)):
        (tmp_path / "config.json").write_text(json.dumps({"settings": {"base_channels": width}}))
        if refused:
            with pytest.raises(InputError, match=r"has base_channels 24, and training\.base_channels .* is 8; wanted"):
                check_plan(config, start, NO_STACKS)
        else:
            check_plan(config, start, NO_STACKS)


def test_a_network_starts_from_one_of_its_own_kind_only(config, tmp_path):
    """A folder of Deep-Z, and one without its settings, are refused; so are images of another kind."""
    config, start = complete_config(config), networks(start_from=f"{tmp_path}/")
    described = {"settings": {"base_channels": 8}, "network": {"kind": "deepz"}, "image_channels": 1}
    (tmp_path / "config.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match=r"is a network of kind deepz; wanted deepr"):
        check_plan(config, start, NO_STACKS)
    (tmp_path / "config.json").write_text('{"network": {}}')
    with pytest.raises(InputError, match=r"has base_channels None, and training\.base_channels of the config is 8"):
        check_plan(config, start, NO_STACKS)
    (tmp_path / "config.json").write_text('{"settings": ')
    with pytest.raises(InputError, match=r"config\.json: found no JSON"):
        check_plan(config, start, NO_STACKS)
    (tmp_path / "config.json").write_text(json.dumps(described | {"network": {"kind": "deepr"}}))
    check_plan(config, start, NO_STACKS)
    check_mixtures(config, start, {"ovary": GREY})
    with pytest.raises(InputError, match=r"whose images are grey, and its own are in colour; wanted the same"):
        check_mixtures(config, start, {"ovary": COLOUR})


def test_kinds_and_steps_that_take_no_colour_are_named(config):
    """Deep-Z, a decoder of a network of grey images, a start from one, and fusion without reassignment."""
    config = complete_config(config)
    grey = networks(name="first", datasets="a")
    with pytest.raises(InputError, match=r"network 'ovary_5': kind is deepz, but data set 'b' is in colour; wanted"):
        check_mixtures(config, networks(datasets="b", kind="deepz"), {"b": COLOUR})
    for kind in ("deepr", "decoder"):
        rows = pd.concat([networks(datasets="b", kind=kind, start_from="first"), grey])
        with pytest.raises(InputError, match=r"start_from is 'first', whose images are grey, and its own are in col"):
            check_mixtures(config, rows, {"a": GREY, "b": COLOUR})
        assert check_mixtures(config, rows, {"a": COLOUR, "b": COLOUR}) == []
    config["edof"]["reassign"] = False
    check_mixtures(config, grey, {"a": GREY})
    with pytest.raises(InputError, match=r"edof\.reassign is false, but data set 'a' is in colour, .* wanted true"):
        check_mixtures(config, grey, {"a": COLOUR})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda c: c["datasets"]["prostate"]["slides"]["test"].update(specimen_parameters={"tumor": 1}),
            r"unknown key 'tumor' at datasets\.prostate\.slides\.test\.specimen_parameters; did you mean 'tumour'\?",
        ),
        (
            lambda c: c["datasets"]["beads"].update(specimen_parameters={"colour": 1}),
            r"unknown key 'colour' at datasets\.beads\.specimen_parameters; wanted one of beads_per_1000_um2, clus",
        ),
        (
            lambda c: c["datasets"]["ovary"].update(emission_um=[0.6, 0.5, 0.4]),
            r"ovary\.emission_um has 3 wavelengths, but specimen 'ovary' fluoresces in one channel; wanted 1",
        ),
        (
            lambda c: c["datasets"]["prostate"].update(emission_um=0.6),
            r"prostate\.emission_um has 1 wavelength, but specimen 'prostate' is stained and seen in .*; wanted 3",
        ),
    ],
)
def test_sources_that_give_no_image_are_refused(config, change, sentence):
    """A specimen's parameters and wavelengths are looked at before any work."""
    assert check_sources(complete_config(config)) == []
    change(config)
    with pytest.raises(InputError, match=rf"config: .*{sentence}"):
        check_sources(complete_config(config))


def test_public_images_that_are_not_there_are_told(config, tmp_path):
    """One sentence and no refusal: the slides that were made of them may be all that is needed."""
    public = {"source": "files", "archive": "bbbc006", "channel": "hoechst", "patch_px": 256, "folder": str(tmp_path)}
    config["datasets"]["nuclei"] = public | {"wells": {"training": 2, "test": 1}}
    (remark,) = check_sources(complete_config(config))
    assert remark.startswith(f"config: datasets.nuclei.folder is {tmp_path}: found neither BBBC006_v1_images_z_08.zip")
    for plane in range(8, 25):
        (tmp_path / f"BBBC006_v1_images_z_{plane:02d}.zip").touch()
    assert check_sources(config) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda c: c["datasets"]["ovary"]["slides"]["test"]["z_um"].update(stop=float("inf")),
            r"datasets\.ovary\.slides\.test\.z_um\.stop is inf; wanted a finite number",
        ),
        (lambda c: c["datasets"]["breast"].update(min_contrast=float("nan")), r"min_contrast is nan; wanted a finite"),
        (
            lambda c: c["datasets"]["prostate"].update(emission_um=[0.61, float("nan"), 0.46]),
            r"prostate\.emission_um\.1 is nan; wanted a finite",
        ),
        (
            lambda c: c["datasets"]["prostate"].update(specimen_parameters={"tumour": "yes"}),
            r"prostate\.specimen_parameters\.tumour is 'yes'; wanted a value of type number",
        ),
    ],
)
def test_values_that_are_no_numbers_are_refused(config, change, sentence):
    """YAML knows .inf and .nan, which no setting can be."""
    change(config)
    with pytest.raises(InputError, match=rf"config: .*{sentence}"):
        complete_config(config)


def test_every_key_says_what_it_is_and_what_it_is_by_default():
    """Descriptions stand on all keys, defaults on all that are not required, and no object takes unknown keys."""
    schema = yaml.safe_load(SCHEMA.read_text())
    gaps = []

    def walk(node, path):
        if "properties" not in node and not isinstance(node.get("additionalProperties"), dict):
            return
        if node.get("additionalProperties") is not False and "properties" in node:
            gaps.append(f"{path} takes unknown keys")
        required = set(node.get("required", []))
        for part in node.get("allOf", []):
            required |= set(part["then"].get("required", []))
        for key, child in node.get("properties", {}).items():
            if "$ref" in child:
                child = schema["$defs"][child["$ref"].rsplit("/", 1)[1]]
            if not child.get("description"):
                gaps.append(f"{path}.{key} has no description")
            if "default" not in child and key not in required and f"{path}.{key}" not in OPTIONAL:
                gaps.append(f"{path}.{key} has no default")
            walk(child, f"{path}.{key}")
        if isinstance(node.get("additionalProperties"), dict):
            walk(node["additionalProperties"], f"{path}.*")

    walk(schema, "config")
    assert gaps == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.update(sed=1), r"unknown key 'sed' at the top level; did you mean 'seed'\?"),
        (
            lambda c: c["training"].update(iteration=5),
            r"unknown key 'iteration' at training; did you mean 'iterations'",
        ),
        (lambda c: c.update(seed="x"), r"seed is 'x'; wanted a value of type integer"),
        (lambda c: c["training"].update(crop_px=100), r"training\.crop_px is 100; wanted a multiple of 32"),
        (lambda c: c["training"].update(base_channels=5), r"training\.base_channels is 5; wanted a multiple of 2"),
        (
            lambda c: c["training"].update(discriminator_channels=3),
            r"training\.discriminator_channels is 3; wanted a multiple of 2",
        ),
        (lambda c: c["datasets"]["ovary"].pop("objective"), r"datasets\.ovary has no 'objective'"),
        (
            lambda c: c["datasets"]["ovary"].update(specimen="liver"),
            r"specimen is 'liver'; wanted one of ovary",
        ),
        (lambda c: c.pop("datasets"), r"the top level has no 'datasets'"),
        (
            lambda c: c["datasets"].update({"my-own": c["datasets"]["ovary"]}),
            r"datasets has a 'my-own'; wanted names of letters, digits and _ that begin with a letter",
        ),
    ],
)
def test_a_mistyped_config_is_refused_in_one_sentence(config, change, sentence):
    """The sentence names the key, the value found and the one wanted."""
    change(config)
    with pytest.raises(InputError, match=sentence) as caught:
        complete_config(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "row", "sentence"),
    [
        (
            lambda c: c.update(deepz={"crop_px": 1024}),
            {"kind": "deepz"},
            r"deepz\.crop_px is 1024, larger than datasets\.ovary\.patch_px 512",
        ),
        (
            lambda c: None,
            {"range_um": 12.0},
            r"network 'ovary_5': range_um is 12, but .* end at -10 and 10 um",
        ),
        (
            lambda c: c["training"].update(crop_px=1024),
            {},
            r"config: training\.crop_px is 1024, larger than datasets\.ovary\.patch_px 512",
        ),
        (
            lambda c: None,
            {"crop_px": 1024},
            r"network 'ovary_5': crop_px is 1024, larger than datasets\.ovary\.patch_px 512",
        ),
        (
            lambda c: c["datasets"]["ovary"].update(frame_px=480),
            {},
            r"frame_px is 480, smaller than patch_px 512",
        ),
        (
            lambda c: c["datasets"]["ovary"]["slides"]["test"]["z_um"].update(stop=-11),
            {},
            r"slides\.test\.z_um\.stop is -11; wanted more than start, -10",
        ),
        (
            lambda c: c["datasets"].update(mine={"source": "stacks", "patch_px": 64}),
            {},
            r"no row of data set 'mine'",
        ),
        (
            lambda c: c["datasets"]["ovary"]["slides"].pop("training"),
            {},
            r"network 'ovary_5': .* 'ovary' has nothing to train on; wanted datasets\.ovary\.slides\.training",
        ),
        (
            lambda c: c["datasets"]["ovary"]["slides"]["training"].update(count=1, fields=1),
            {},
            r"network 'ovary_5': data set 'ovary' has 1 training field, .*; wanted 2 or more",
        ),
        (
            lambda c: c["datasets"]["ovary"]["slides"]["test"].update(z_um={"start": -10, "stop": 10, "step": 0.3}),
            {},
            r"slides\.test\.z_um\.step is 0\.3; wanted a whole number of steps in stop - start, 20 um",
        ),
        (
            lambda c: (
                c["datasets"]["ovary"].update(specimen="beads")
                or c["datasets"]["ovary"]["slides"]["test"]["z_um"].update(fine_within=2, fine_step=0.5)
            ),
            {},
            r"slides\.test\.z_um\.fine_within is 2; wanted none on test slides of beads",
        ),
        (
            lambda c: c["datasets"]["ovary"]["slides"]["training"]["z_um"].update(fine_within=3, fine_step=0.7),
            {},
            r"slides\.training\.z_um\.fine_step is 0\.7; wanted a whole number of steps in what lies within fine_w",
        ),
        (
            lambda c: c["training"].update(loss_weights={"adversarial": 0, "ms_ssim": 0, "berhu": 0}),
            {},
            r"training\.loss_weights are all 0, which trains nothing; wanted one above 0",
        ),
    ],
)
def test_a_plan_that_could_only_fail_later_is_refused(config, change, row, sentence):
    """Settings that fit the schema and not each other are named."""
    change(config)
    config = complete_config(config)
    with pytest.raises(InputError, match=sentence):
        check_plan(config, networks(**row), NO_STACKS)


def own_stacks(*splits):
    return pd.DataFrame({"dataset": "mine", "slide": [f"s{n}" for n in range(len(splits))], "split": list(splits)})


@pytest.mark.parametrize(
    ("splits", "sentence"),
    [
        (["test", "test"], r"'mine' has nothing to train on; wanted rows of config/stacks\.tsv with split train"),
        (["train", "train"], r"'mine' has nothing to test on; wanted a slide with split test in config/stacks\.tsv"),
        (["train", "test"], r"'mine' has 1 training field, which cannot be divided .*; wanted 2 or more"),
    ],
)
def test_own_stacks_that_cannot_train_or_test_are_refused(splits, sentence):
    """A network needs two fields to divide into training and validation, and one to test on."""
    config = complete_config({"datasets": {"mine": {"source": "stacks", "patch_px": 128}}})
    check_plan(config, networks(datasets="mine"), own_stacks("train", "train", "test"))
    with pytest.raises(InputError, match=rf"network 'ovary_5': .*{sentence}"):
        check_plan(config, networks(datasets="mine"), own_stacks(*splits))


def test_a_single_field_beside_a_larger_data_set_is_accepted():
    """Of two data sets one has a field for validation."""
    config = complete_config({"datasets": {name: {"source": "stacks", "patch_px": 128} for name in ("mine", "yours")}})
    stacks = pd.concat([own_stacks("train", "test"), own_stacks("train", "train", "test").assign(dataset="yours")])
    check_plan(config, networks(datasets="mine,yours"), stacks)


GREY, COLOUR = {"channels": 1, "pixel_um": {0.325}}, {"channels": 3, "pixel_um": {0.325}}


def test_grey_and_colour_do_not_mix(config):
    """A network sees images of one kind, and colour needs a width of 4."""
    with pytest.raises(InputError, match=r"network 'ovary_5': data set 'b' has 3 channels and 'a' 1; wanted all"):
        check_mixtures(complete_config(config), networks(datasets="a,b"), {"a": GREY, "b": COLOUR})
    check_mixtures(config, networks(datasets="b"), {"a": GREY, "b": COLOUR})
    config["training"]["base_channels"] = 2
    check_mixtures(config, networks(datasets="a"), {"a": GREY, "b": COLOUR})
    with pytest.raises(InputError, match=r"base_channels is 2; wanted at least 4 for network 'ovary_5', .* 'b' is in"):
        check_mixtures(config, networks(datasets="b"), {"a": GREY, "b": COLOUR})


def test_mixed_pixel_sizes_are_told(config):
    """It is allowed, and one sentence says so; a difference by rounding is none."""
    config = complete_config(config)
    sets = {"a": GREY, "b": {"channels": 1, "pixel_um": {0.326, 0.3245}}, "c": {"channels": 1, "pixel_um": {0.65}}}
    assert check_mixtures(config, networks(datasets="a,b"), sets) == []
    (remark,) = check_mixtures(config, networks(datasets="a,c"), sets)
    assert remark.startswith("network 'ovary_5' mixes pixels of 0.325 to 0.65 um")


def test_a_pilot_needs_no_loss_weights(config):
    """The pilot sets them."""
    config["training"].update(loss_weights={"adversarial": 0, "ms_ssim": 0, "berhu": 0}, pilot_iterations=5)
    check_plan(complete_config(config), networks(), NO_STACKS)


def test_defaults_are_not_shared(config):
    """Filling two configs gives each its own objects."""
    first, second = complete_config(copy.deepcopy(config)), complete_config(copy.deepcopy(config))
    first["training"]["loss_weights"]["berhu"] = 9
    assert second["training"]["loss_weights"]["berhu"] != 9


def test_planes_include_both_ends():
    """-10 to 10 um in steps of 0.2 um are the paper's 101 planes."""
    z_um = planes_um({"start": -10, "stop": 10, "step": 0.2, "fine_within": 0})
    assert (len(z_um), z_um[0], z_um[50], z_um[-1]) == (101, -10, 0, 10)
    np.testing.assert_allclose(np.diff(z_um), 0.2, atol=1e-9)


def test_planes_can_be_finer_near_focus():
    """Whole micrometres far out, halves within 2 um, no plane twice."""
    z_um = planes_um({"start": -4, "stop": 4, "step": 1, "fine_within": 2, "fine_step": 0.5})
    assert z_um.tolist() == [-4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4]


PUBLIC = {
    "source": "download",
    "archive": "bbbc006",
    "channel": "hoechst",
    "patch_px": 256,
    "wells": {"training": 4, "test": 2},
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"source": "files"}, "has no 'folder'; wanted a value for it where source is 'files'"),
        ({"channel": "Hoechst"}, "channel is 'Hoechst'; wanted one of hoechst, phalloidin"),
        ({"wells": {"training": 380, "test": 8}}, "wells are 388 in all; wanted at most 384"),
        ({"patch_px": 544}, "patch_px is 544; wanted at most 512"),
        ({"planes": {"first": 12}}, "planes 12 to 24 of data set 'cells' end at -8 and 16 um"),
        ({"wells": {"test": 8}}, "data set 'cells' has nothing to train on; wanted datasets.cells.wells.training"),
    ],
)
def test_public_data_sets_are_checked(changes, sentence):
    """What cannot be downloaded or trained on is refused before anything is fetched."""
    config = {"datasets": {"cells": {**PUBLIC, **changes}}}
    row = {"name": "n", "kind": "deepr", "datasets": "cells", "range_um": 10.0, "crop_px": 0}
    with pytest.raises(InputError, match=re.escape(sentence)):
        check_plan(complete_config(config), pd.DataFrame([row]), NO_STACKS)


@pytest.mark.parametrize(("row_says", "found"), [(0, 7), (300, 300), (12, 12)])
def test_the_sheet_has_the_last_word_of_a_training(row_says, found):
    """The section of the kind is above training, the row above both, even where it says what training says."""
    config = {"training": {"iterations": 300, "crop_px": 128}, "decoder": {"iterations": 7}}
    settings = training_settings(config, {"kind": "decoder", "iterations": row_says, "crop_px": 0})
    assert settings == {"iterations": found, "crop_px": 128}
