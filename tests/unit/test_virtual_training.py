"""Deep-Z and the defocus decoder: what is drawn, what is trained, and that a stopped training goes on."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from deepr.networks import deepz_training, precision
from deepr.networks.decoder import build_decoder, build_features, measure_features
from deepr.networks.decoder_training import Decoding, train_decoder
from deepr.networks.deepz_training import judgement_loss, propagation_loss, train_deepz
from deepr.networks.generator import build_generator
from deepr.networks.inference import defocus_map, load_decoder, load_generator, virtually_refocus
from deepr.networks.reproducibility import fix_threads
from deepr.networks.virtual_pairs import DefocusPairs, PropagationPairs
from deepr.networks.virtual_refocusing import propagate_through
from deepr.tables import InputError, read_table

# Must happen before TensorFlow's first operation, so when the tests are collected
fix_threads(1)

SETTINGS = {
    "base_channels": 2,
    "discriminator_channels": 1,
    "batch_size": 2,
    "iterations": 4,
    "batches_per_iteration": 1,
    "generator_updates_per_batch": 2,
    "discriminator_updates_per_batch": 1,
    "generator_learning_rate": 1e-3,
    "discriminator_learning_rate": 1e-3,
    "learning_rate": 1e-3,
    "learning_rate_schedule": "cosine",
    "warmup_fraction": 0.1,
    "gradient_norm": 1.0,
    "mae_weight": 1.0,
    "validation_interval": 2,
    "validation_pairs": 4,
    "checkpoint_interval": 2,
    "threads": 1,
    "precision": "float32",
}
Z_UM = np.array([-4.0, -3.0, -1.5, 0.0, 0.5, 2.0, 5.0])


class FakeSlide:
    """One field; each plane's pixels are one pattern times a factor of its own, so that planes can be told apart."""

    def __init__(self, seed):
        pattern = np.random.default_rng(seed).standard_normal((64, 64))
        self.planes = np.stack([1000 + 100 * pattern**power for power in range(1, len(Z_UM) + 1)])

    def z_um(self, field):
        return Z_UM + 7

    def stack(self, field):
        return self.planes


def sampler(kind, range_um=3.0, slides=4, augment=False, seed=3, crop_px=32):
    """Pairs of a few slides whose fourth plane is in focus."""
    rows = pd.DataFrame({"dataset": "d", "slide": [str(number) for number in range(slides)], "fov": "f"})
    rows = rows.assign(y=0, x=0, size=64, focus_plane=3, focus_z_um=7.0, kept=True)
    files = {("d", str(number)): FakeSlide(number) for number in range(slides)}
    return kind(rows, files, range_um, crop_px, 2, seed, augment)


@pytest.fixture
def eager():
    """Compute without building graphs: for trainings of a few steps, whose graphs take longer to build."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def generator_path(tmp_path_factory):
    """A Deep-R generator with random weights, as a file."""
    path = tmp_path_factory.mktemp("deepr") / "generator.keras"
    build_generator(2, seed=1).save(path)
    return path


def test_planes_of_a_pair_are_within_range_of_focus_and_of_each_other():
    """Every possible pair keeps both limits, and every plane within range is its own target too."""
    pairs = sampler(PropagationPairs)
    assert pairs.count == 4 * 5  # of -4, -3, -1.5, 0, 0.5, 2, 5 um those within 3 um
    for pair in range(pairs.count):
        targets = pairs.targets_of(pair)
        distances = [pairs.distance_um(pair, target) for target in targets]
        assert 0.0 in distances and max(map(abs, distances)) <= 3.0
        assert set(targets) <= set(range(pair // 5 * 5, pair // 5 * 5 + 5))
    assert pairs.distance_um(0, pairs.targets_of(0)[-1]) == 3.0  # from -3 to 0, not to 0.5 or 2


def test_the_dpm_is_the_distance_in_units_of_ten_um():
    """From the plane at -3 um to that at 0 the second channel is 0.3 everywhere; both images are normalised."""
    pairs = sampler(PropagationPairs, crop_px=64)
    inputs, target = pairs._propagation(0, 2, 0, 0)
    assert np.allclose(inputs[..., 1], 0.3) and inputs.shape == (64, 64, 2)
    slide = FakeSlide(0).planes
    for image, plane in ((inputs[..., 0], slide[1]), (target[..., 0], slide[3])):
        assert np.allclose(image, (plane - plane.mean()) / plane.std(), atol=1e-5)


def test_the_decoder_learns_the_signed_defocus_of_its_input():
    """The map is z minus z of the focus plane over 10 um, uniform, with its sign."""
    inputs, maps = sampler(DefocusPairs).validation_set(20)
    assert inputs.shape[-1] == maps.shape[-1] == 1
    assert np.ptp(maps, axis=(1, 2, 3)).max() == 0
    assert sorted(set(np.round(10 * maps[:, 0, 0, 0], 4))) == [-3.0, -1.5, 0.0, 0.5, 2.0]


@pytest.mark.parametrize("kind", [PropagationPairs, DefocusPairs])
def test_batches_depend_on_their_number_and_the_seed_alone(kind):
    """The same number gives the same batch, another seed another one, and hashes tell samplers apart."""
    pairs, other = sampler(kind, augment=True), sampler(kind, augment=True, seed=4)
    drawn = list(pairs.batches(0, 3))
    assert all(np.array_equal(a, b) for a, b in zip(pairs.batch(2), drawn[2], strict=True))
    assert not np.array_equal(pairs.batch(2)[0], other.batch(2)[0])
    assert len({sampler(one).fingerprint() for one in (PropagationPairs, DefocusPairs)} | {other.fingerprint()}) == 3


def test_losses_are_those_of_deep_z():
    """Known answers: 0.5 (1 - 0.5)^2 + 0.02 x 2 for the generator, 0.5 (0.1^2 + 0.2^2) for the discriminator."""
    half = tf.fill((3, 1), 0.5)
    parts = propagation_loss(tf.zeros((3, 4, 4, 1)), tf.fill((3, 4, 4, 1), -2.0), half, mae_weight=0.02)
    assert float(parts["total"]) == pytest.approx(0.125 + 0.04)
    assert float(judgement_loss(tf.fill((3, 1), 0.1), tf.fill((3, 1), 0.8))) == pytest.approx(0.5 * (0.01 + 0.04))


def test_deep_z_has_the_parameters_of_the_released_network():
    """Two input channels and one output at 48 channels: 77,802,908, as in the released graphs."""
    count = build_generator(48, 2, output_channels=1).count_params()
    assert count == 77_802_908


def test_only_the_decoder_is_trained(generator_path):
    """A step changes every weight of the decoder and none of the frozen network, which has no trainable one."""
    generator = load_generator(generator_path)
    before = [weight.copy() for weight in generator.get_weights()]
    statistics = measure_features(build_features(generator), sampler(DefocusPairs).validation_set(20)[0])
    networks = Decoding(SETTINGS, generator, statistics, seed=1)
    decoder = [weight.copy() for weight in networks.model.get_weights()]
    networks.train_on_batch(*sampler(DefocusPairs).batch(0))
    assert all(np.array_equal(a, b) for a, b in zip(before, generator.get_weights(), strict=True))
    assert not networks.features.trainable_variables
    changed = [not np.array_equal(a, b) for a, b in zip(decoder, networks.model.get_weights(), strict=True)]
    assert np.mean(changed) > 0.9  # a unit whose input is always 0 has no gradient


def test_the_decoder_brings_its_features_to_one_scale(generator_path, tmp_path):
    """Channels that vary get zero mean and unit variance, silent ones stay finite, and the scales survive saving."""
    features = build_features(load_generator(generator_path))
    images = sampler(DefocusPairs).validation_set(20)[0]
    statistics = measure_features(features, images, at_once=7)
    raw = features.predict_on_batch(images)
    assert all(
        np.allclose(mean, output.mean((0, 1, 2)), atol=1e-5) for (mean, _), output in zip(statistics, raw, strict=True)
    )
    build_decoder(features, statistics, seed=1).save(tmp_path / "decoder.keras")
    decoder = load_decoder(tmp_path / "decoder.keras")
    scaled = [np.asarray(decoder.get_layer(f"scale{level}")(output)) for level, output in enumerate(raw)]
    for output, (_, variance) in zip(scaled, statistics, strict=True):
        assert np.abs(output.mean((0, 1, 2))).max() < 1e-3
        varying = variance > 1e-3 * variance.max()
        assert np.allclose(output.std((0, 1, 2))[varying], 1, atol=1e-3)
        assert output.std((0, 1, 2)).max() < 1 + 1e-3


def test_the_decoder_has_the_structure_of_the_up_sampling_path():
    """As many parameters as the generator's own up-sampling path and last convolution."""
    generator = build_generator(4, seed=1)
    names = ("up", "output")
    count = sum(layer.count_params() for layer in generator.layers if layer.name.startswith(names))
    assert build_decoder(build_features(generator)).count_params() == count
    assert build_decoder(build_features(build_generator(8))).count_params() == 1_277_645


def train(kind, folder, generator_path, **changes):
    """Train a decoder or Deep-Z for a few steps."""
    settings, seed = {**SETTINGS, **changes}, changes.pop("seed", 1)
    settings.pop("seed", None)
    code = settings.pop("code", None)
    if kind == "decoder":
        pairs = sampler(DefocusPairs, augment=True), sampler(DefocusPairs)
        return train_decoder(*pairs, generator_path, folder, settings, seed, code=code)
    pairs = sampler(PropagationPairs, augment=True), sampler(PropagationPairs)
    return train_deepz(*pairs, folder, settings, seed, code=code)


def result(kind, folder):
    """Everything that must be equal between two runs: weights, history without seconds."""
    model = load_decoder(folder) if kind == "decoder" else load_generator(folder)
    return [*model.get_weights(), read_table(folder / "history.tsv").drop(columns="seconds").to_numpy(dtype=float)]


class Interrupted(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize(("kind", "computing"), [("decoder", "float32"), ("deepz", "float32"), ("deepz", "bfloat16")])
def test_an_interrupted_training_goes_on_to_the_same_result(
    kind, computing, tmp_path, generator_path, eager, monkeypatch
):
    """Stopped after the third of four iterations, between checkpoints, it ends as one never stopped."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    whole = train(kind, tmp_path / "whole", generator_path, precision=computing)
    owner = Decoding if kind == "decoder" else deepz_training.Propagation
    original, calls = owner.train_on_batch, []

    def stop_at_the_fourth(self, *batch):
        calls.append(1)
        if len(calls) == 4:
            raise Interrupted
        return original(self, *batch)

    with monkeypatch.context() as patched:
        patched.setattr(owner, "train_on_batch", stop_at_the_fourth)
        with pytest.raises(Interrupted):
            train(kind, tmp_path / "stopped", generator_path, precision=computing)
    again = train(kind, tmp_path / "stopped", generator_path, precision=computing)
    for a, b in zip(result(kind, tmp_path / "whole"), result(kind, tmp_path / "stopped"), strict=True):
        assert np.array_equal(a, b, equal_nan=True)
    assert whole["best_iteration"] == again["best_iteration"]
    if kind == "deepz":
        assert {layer.compute_dtype for layer in load_generator(tmp_path / "whole").layers} == {"float32"}
    assert not (tmp_path / "stopped" / "checkpoint").exists()


@pytest.mark.parametrize("kind", ["decoder", "deepz"])
def test_a_checkpoint_of_other_code_is_not_continued(kind, tmp_path, generator_path, eager, monkeypatch, caplog):
    """It says so and starts afresh."""
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", lambda folder: None)
        train(kind, tmp_path, generator_path, iterations=1, code="of yesterday")
    assert (tmp_path / "checkpoint" / "training" / "state.npz").is_file()
    train(kind, tmp_path, generator_path, iterations=1, code="of today")
    assert "is of another training (code): starting afresh" in caplog.text


def test_another_seed_gives_other_weights(tmp_path, generator_path, eager):
    """Seeds matter, for the decoder as for Deep-Z."""
    for kind in ("decoder", "deepz"):
        for seed in (1, 2):
            train(kind, tmp_path / f"{kind}{seed}", generator_path, seed=seed, iterations=1)
        one, other = (result(kind, tmp_path / f"{kind}{seed}") for seed in (1, 2))
        assert not np.array_equal(one[0], other[0])


def test_the_best_decoder_is_kept(tmp_path, generator_path, eager):
    """The saved decoder scores what the record says, and the record says what zeros would score."""
    config = train("decoder", tmp_path, generator_path)
    inputs, maps = sampler(DefocusPairs).validation_set(4)
    features = build_features(load_generator(generator_path))
    found = np.asarray(load_decoder(tmp_path)(features(inputs)))
    assert np.mean((found - maps) ** 2) == pytest.approx(config["best_validation_squared_error"], rel=1e-4)
    assert config["zero_validation_squared_error"] == pytest.approx(np.mean(maps**2))


def test_a_map_is_in_um_and_of_the_size_of_the_image(tmp_path, generator_path, eager):
    """Sides that are no multiple of 32 come back as they were; a map is ten times the decoder's output."""
    train("decoder", tmp_path, generator_path, iterations=1)
    generator, decoder = load_generator(generator_path), load_decoder(tmp_path)
    image = np.random.default_rng(1).normal(500, 20, (64, 64))
    normalised = ((image - image.mean()) / image.std())[None, :, :, None]
    expected = 10 * np.asarray(decoder(build_features(generator)(normalised)))[0, :, :, 0]
    assert np.allclose(defocus_map(image, generator, decoder), expected, atol=1e-4)
    assert defocus_map(image[:40, :50], generator, decoder).shape == (40, 50)
    assert np.allclose(defocus_map(3 * image + 7, generator, decoder), expected, atol=1e-4)
    with pytest.raises(ValueError, match="constant"):
        defocus_map(np.ones((64, 64)), generator, decoder)
    with pytest.raises(ValueError, match="channels"):
        defocus_map(image, build_generator(4), decoder)


def test_a_uniform_map_is_the_same_as_one_distance():
    """One number and a map of that number give one result; a sloping map another."""
    generator = build_generator(2, 2, output_channels=1, seed=1)
    image = np.random.default_rng(1).normal(500, 20, (64, 80))
    one = virtually_refocus(image, -2.5, generator)
    assert one.shape == image.shape
    assert np.allclose(one, virtually_refocus(image, np.full(image.shape, -2.5), generator), atol=1e-3)
    slope = np.linspace(-5, 5, 64)[:, None] * np.ones(80)
    assert np.abs(one - virtually_refocus(image, slope, generator)).max() > 0
    normalised = (image - image.mean()) / image.std()
    channels = np.stack([normalised, np.full(image.shape, -0.25)], axis=-1)
    channels = np.pad(channels, [(0, 0), (0, 16), (0, 0)], mode="reflect")[None].astype(np.float32)
    expected = np.asarray(generator(channels))[0, :, :80, 0] * image.std() + image.mean()
    assert np.allclose(one, expected, rtol=1e-4)
    assert np.allclose(propagate_through(image, [1.0, -2.5], generator)[1], one, rtol=1e-4)


def test_refusals_name_what_was_found():
    """A Deep-R generator, a map of another shape and one with NaN are refused."""
    image = np.random.default_rng(1).normal(500, 20, (64, 64))
    with pytest.raises(ValueError, match="Deep-Z"):
        virtually_refocus(image, 1.0, build_generator(2))
    deepz = build_generator(2, 2, output_channels=1)
    with pytest.raises(ValueError, match="dpm_um has shape"):
        virtually_refocus(image, np.zeros((32, 64)), deepz)
    with pytest.raises(ValueError, match="NaN"):
        virtually_refocus(image, np.full(image.shape, np.nan), deepz)


def test_a_decoder_of_other_images_is_refused(tmp_path):
    """A network for colour cannot be read on grey slides."""
    path = tmp_path / "generator.keras"
    build_generator(4, 3).save(path)
    with pytest.raises(InputError, match="3 channels"):
        train("decoder", tmp_path / "decoder", path)
