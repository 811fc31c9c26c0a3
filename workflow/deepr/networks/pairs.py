"""Pairs of a defocused image and its ground truth, drawn straight out of memory-mapped slides."""

import hashlib
import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from deepr.tables import InputError

SIZE_MULTIPLE = 32
PREFETCHED_BATCHES = 4
Z_TOLERANCE_UM = 1e-3


class PairSampler:
    """Draws training pairs from the kept patches of one split.

    A pair is a plane of a patch within `range_um` of the patch's focus plane, the focus plane included,
    and that focus plane as ground truth. Each is normalised by the mean and deviation of its whole patch
    and cropped after that, as an image is at test time.

    Parameters
    ----------
    patches : pandas.DataFrame
        Manifest rows with the columns dataset, slide, fov, y, x, size, focus_plane, focus_z_um and kept;
        several data sets may be mixed. Rows that were not kept are left out.
    slides : mapping
        Open slides (`deepr.slides.Slide`) by (dataset, slide).
    range_um : float
        Largest distance between the input's plane and the focus plane.
    crop_px : int
        Side of the square that the networks see, a multiple of 32.
    batch_size : int
        Pairs per batch.
    seed : int
        Seed of the draws.
    augment : bool
        Whether each pair is turned and mirrored at random, one of the square's eight ways.

    Attributes
    ----------
    count : int
        Number of different pairs.
    image_channels : int
        1, or 3 for slides in colour.

    Raises
    ------
    InputError
        If no patch was kept, the planes do not reach as far as the range, a crop does not fit into a
        patch or is no multiple of 32, grey and coloured slides are mixed, or a patch is constant.

    Notes
    -----
    All pairs are equally likely, drawn with replacement: the paper does not say how batches are made up.
    Where a patch's focus plane lies off the middle of its stack, the planes beyond the shorter end are
    simply not there; the range is refused only if it exceeds half of what the stack spans.
    """

    def __init__(self, patches, slides, range_um, crop_px, batch_size, seed, augment):
        if crop_px < SIZE_MULTIPLE or crop_px % SIZE_MULTIPLE:
            raise InputError(f"crop_px must be a multiple of {SIZE_MULTIPLE}, not {crop_px}")
        self.range_um, self.crop_px, self.batch_size = float(range_um), int(crop_px), int(batch_size)
        self.seed, self.augment = int(seed), bool(augment)
        self._patches = list(patches[patches["kept"].astype(bool)].itertuples(index=False))
        self._slides = slides
        if not self._patches:
            raise InputError(_no_patch(patches))
        for patch in self._patches:
            self._check(patch)
        self.image_channels = self._channels()
        # For each patch the planes in range; pairs are counted through, patch after patch.
        self._planes = [
            np.flatnonzero(np.abs(self._z_um(patch)) <= self.range_um + Z_TOLERANCE_UM) for patch in self._patches
        ]
        self._first = np.cumsum([0] + [len(planes) for planes in self._planes])
        self.count = int(self._first[-1])
        # All measured now, in one pass: a bad plane is refused before the training, not in the midst of it.
        self._statistics = np.concatenate(
            [self._measure(patch, planes) for patch, planes in zip(self._patches, self._planes, strict=True)]
        )

    def batch(self, number):
        """Draw a batch, the same one for the same number whatever was drawn before.

        Parameters
        ----------
        number : int
            Number of the batch, from 0.

        Returns
        -------
        inputs, truths : (B, crop, crop, C) ndarray of float32
            Normalised units.
        """
        rng = np.random.default_rng([self.seed, number])
        inputs, truths = np.stack([self._draw(rng) for _ in range(self.batch_size)], axis=1)
        return inputs, truths

    def batches(self, start, stop):
        """Yield the batches from number `start` up to `stop`, read ahead by a thread in the background."""
        with ThreadPoolExecutor(1, thread_name_prefix="pairs") as reader:
            ahead = deque()
            for number in range(start, stop):
                ahead.append(reader.submit(self.batch, number))
                if len(ahead) > PREFETCHED_BATCHES:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def validation_set(self, count):
        """Give a fixed set of pairs that covers the range of z evenly and the patches at random.

        Parameters
        ----------
        count : int
            Number of pairs wanted; all pairs if there are fewer.

        Returns
        -------
        inputs, truths : (N, crop, crop, C) ndarray of float32
            Central crops, not turned, N = min(count, `self.count`); normalised units.
        """
        count = min(count, self.count)
        z_um = [self._z_um(patch)[planes] for patch, planes in zip(self._patches, self._planes, strict=True)]
        shuffled = np.random.default_rng(self.seed).permutation(self.count)
        in_z = np.lexsort((shuffled, np.round(np.concatenate(z_um), 3)))
        chosen = in_z[((np.arange(count) + 0.5) * self.count / count).astype(int)]
        centres = [self._crop_room(pair) // 2 for pair in chosen]
        images = np.stack([self._crop(pair, y, y) for pair, y in zip(chosen, centres, strict=True)], axis=1)
        return images[0], images[1]

    def describe(self):
        """Give what a record of a training says about its data, as a dict."""
        return {
            "datasets": sorted({str(patch.dataset) for patch in self._patches}),
            "slides": len({(patch.dataset, patch.slide) for patch in self._patches}),
            "patches": len(self._patches),
            "pairs": self.count,
            "range_um": self.range_um,
            "crop_px": self.crop_px,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "augment": self.augment,
        }

    def fingerprint(self):
        """Give a hash of what is drawn and how: 64 hexadecimal digits.

        Equal hashes mean equal batches: the pairs, their pixels' means and deviations, and every
        argument enter.
        """
        digest = hashlib.sha256()
        arguments = (self.range_um, self.crop_px, self.batch_size, self.seed, self.augment)
        digest.update(repr(arguments).encode())
        for patch, planes in zip(self._patches, self._planes, strict=True):
            identity = (
                patch.dataset,
                patch.slide,
                patch.fov,
                patch.y,
                patch.x,
                patch.size,
                patch.focus_plane,
            )
            digest.update(repr((*map(str, identity), planes.tolist())).encode())
        digest.update(self._statistics.tobytes())
        return digest.hexdigest()

    def _draw(self, rng):
        pair = int(rng.integers(self.count))
        y, x = rng.integers(self._crop_room(pair) + 1, size=2)
        turns, mirrored = rng.integers(4), rng.integers(2)
        images = self._crop(pair, int(y), int(x))
        if self.augment:
            images = np.rot90(images, turns, axes=(1, 2))
            images = images[:, :, ::-1] if mirrored else images
        return images

    def _crop(self, pair, y, x):
        """Give one pair's input and truth, (2, crop, crop, C), normalised as whole patches."""
        patch_number = np.searchsorted(self._first, pair, side="right") - 1
        patch, planes = self._patches[patch_number], self._planes[patch_number]
        stack = self._stack(patch)
        rows = slice(patch.y + y, patch.y + y + self.crop_px)
        columns = slice(patch.x + x, patch.x + x + self.crop_px)
        truth = self._first[patch_number] + int(np.searchsorted(planes, patch.focus_plane))
        images = np.empty((2, self.crop_px, self.crop_px, self.image_channels), np.float32)
        for image, index in zip(images, (pair, truth), strict=True):
            plane = stack[planes[index - self._first[patch_number]], rows, columns]
            mean, deviation = self._statistics[index]
            image[:] = (plane.reshape(image.shape) - mean) / deviation
        return images

    def _crop_room(self, pair):
        """Give the largest offset that a crop can have within a pair's patch, in pixels."""
        return int(self._patches[np.searchsorted(self._first, pair, side="right") - 1].size) - self.crop_px

    def _stack(self, patch):
        return self._slides[patch.dataset, patch.slide].stack(patch.fov)

    def _z_um(self, patch):
        """Give the z of a patch's planes relative to its focus plane, in um."""
        z_um = np.asarray(self._slides[patch.dataset, patch.slide].z_um(patch.fov))
        return z_um - z_um[patch.focus_plane]

    def _check(self, patch):
        """Refuse a patch that cannot be used as asked for."""
        where = f"{patch.dataset}, slide {patch.slide}, field {patch.fov}"
        if self.crop_px > patch.size:
            raise InputError(
                f"crop_px is {self.crop_px}, larger than a patch of {where}, which is {patch.size} px; "
                f"wanted at most the patch"
            )
        shape = self._stack(patch).shape
        if patch.y + patch.size > shape[1] or patch.x + patch.size > shape[2] or patch.focus_plane >= shape[0]:
            raise InputError(
                f"{where}: the manifest's patch at y {patch.y}, x {patch.x}, {patch.size} px wide, with "
                f"focus plane {patch.focus_plane}, does not lie within the stack of shape {shape}"
            )
        span_um = np.ptp(self._z_um(patch))
        if self.range_um > span_um / 2 + Z_TOLERANCE_UM:
            raise InputError(
                f"{where}: a range of {self.range_um:g} um was asked for, but its planes span {span_um:g} "
                f"um; wanted at most {span_um / 2:g} um"
            )

    def _channels(self):
        """Give the number of image channels that all patches share."""
        shapes = [self._stack(patch).shape[3:] for patch in self._patches]
        for patch, shape in zip(self._patches, shapes, strict=True):
            if shape != shapes[0]:
                raise InputError(
                    f"{patch.dataset}, slide {patch.slide} has {math.prod(shape)} channels, another slide of "
                    f"the same training {math.prod(shapes[0])}; wanted one kind"
                )
        return math.prod(shapes[0])

    def _measure(self, patch, planes):
        """Give mean and deviation of every plane of a patch, (P, 2); RGB channels share one of each."""
        stack = self._stack(patch)
        statistics = np.empty((len(planes), 2))
        for row, plane in zip(statistics, planes, strict=True):
            pixels = stack[plane, patch.y : patch.y + patch.size, patch.x : patch.x + patch.size]
            row[:] = pixels.mean(dtype=np.float64), pixels.std(dtype=np.float64)
            if not (np.isfinite(row).all() and row[1] > 0):
                raise InputError(
                    f"{patch.dataset}, slide {patch.slide}, field {patch.fov}, plane {plane}, patch at y "
                    f"{patch.y}, x {patch.x}: mean {row[0]:g} and deviation {row[1]:g}; "
                    f"wanted finite pixels that vary"
                )
        return statistics


def _no_patch(patches):
    """Say in one sentence why there is nothing to draw from."""
    names = ", ".join(sorted(set(patches["dataset"].astype(str)))) or "the manifest"
    splits = sorted(set(patches["split"].astype(str))) if "split" in patches else []
    split = f"{' and '.join(splits)} " if splits else ""
    return (
        f"{names}: none of {len(patches)} {split}patches was kept; wanted at least one (the manifest's "
        f"column 'reason' says why each was left out)"
    )
