"""Maps of defocus of any size: as the decoder gives them for the whole image, in um, of the right network."""

import json

import numpy as np
import pytest
from deepr.networks.decoder import build_decoder, build_features, defocus_maps
from deepr.networks.defocus import join, load_decoder_of, map_defocus
from deepr.networks.generator import build_generator, weights_hash
from deepr.tables import InputError
from scipy.ndimage import gaussian_filter


def blobs(shape, seed=0):
    smooth = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), (2, 2, 0)[: len(shape)])
    return (1000 + 300 * smooth / smooth.std()).astype(np.uint16)


@pytest.fixture(scope="module", params=[1, 3])
def networks(request):
    """A generator of grey or colour images and a decoder of it."""
    generator = build_generator(4, request.param, seed=0)
    return generator, build_decoder(build_features(generator), seed=1)


def test_maps_of_whole_images_are_the_decoders(networks):
    """Odd sides, several images, each normalised by itself."""
    generator, decoder = networks
    shape = (70, 45, 3) if generator.input_shape[-1] == 3 else (70, 45)
    images = np.stack([blobs(shape, seed) for seed in range(3)])
    expected = defocus_maps(images, generator, decoder)
    maps = map_defocus(images, join(generator, decoder))
    assert (maps.shape, maps.dtype) == ((3, 70, 45), np.float32)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(maps, expected, atol=1e-4 * np.ptp(expected))


def test_tiles_of_a_map_join_without_a_seam():
    """Away from the frame, tiles and the whole map differ by less than a thousandth of the range."""
    generator = build_generator(2, seed=0)
    network = join(generator, build_decoder(build_features(generator), seed=1))
    image = blobs((1216, 800))[None]  # two tiles that overlap by the least they may
    whole = map_defocus(image, network)
    tiled = map_defocus(image, network, max_pixels=800 * 800)
    difference = np.abs(tiled - whole)[:, 128:-128, 128:-128]
    assert 0 < difference.max() < 1e-3 * np.ptp(whole)


def test_a_decoder_of_another_width_does_not_join(networks):
    """The widths of both are named."""
    with pytest.raises(InputError, match="the decoder reads features of"):
        join(build_generator(6, networks[0].input_shape[-1]), networks[1])


def test_a_decoder_belongs_to_the_network_that_it_was_trained_on(tmp_path):
    """Its config names the network's folder; the network may have been moved, and is then known by its config."""
    generator = build_generator(2, seed=0)
    build_decoder(build_features(generator), seed=1).save(tmp_path / "decoder.keras")
    for name in ("mine_5", "other_5", "moved"):
        (tmp_path / name).mkdir()
    (tmp_path / "moved/config.json").write_text(json.dumps({"network": {"name": "mine_5"}}))
    with pytest.raises(InputError, match=r"found no config\.json of a decoder"):
        load_decoder_of(tmp_path / "mine_5", tmp_path, generator)
    (tmp_path / "config.json").write_text(json.dumps({"generator": "results/networks/mine_5/generator.keras"}))
    for name in ("mine_5", "moved"):
        assert load_decoder_of(tmp_path / name, tmp_path, generator).name == "decoder"
    with pytest.raises(InputError, match="a decoder of the network 'mine_5', wanted one of 'other_5'"):
        load_decoder_of(tmp_path / "other_5", tmp_path, generator)


def test_a_decoder_of_other_weights_is_refused(tmp_path):
    """A network that was trained again under its old name has other weights, and so another hash."""
    generator = build_generator(2, seed=0)
    build_decoder(build_features(generator), seed=1).save(tmp_path / "decoder.keras")
    reads = {"generator": "results/networks/mine_5/generator.keras", "generator_sha256": weights_hash(generator)}
    (tmp_path / "config.json").write_text(json.dumps(reads))
    network = tmp_path / "mine_5"
    network.mkdir()
    load_decoder_of(network, tmp_path, generator)
    with pytest.raises(InputError, match="found a decoder of other weights of 'mine_5'"):
        load_decoder_of(network, tmp_path, build_generator(2, seed=3))
