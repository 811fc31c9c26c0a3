"""Pairs of two planes of one patch and the distance between them, for Deep-Z and for the defocus decoder."""

import numpy as np

from deepr.networks.pairs import Z_TOLERANCE_UM, PairSampler

# Deep-Z's released networks take the distance in this unit.
DPM_UNIT_UM = 10.0


class PropagationPairs(PairSampler):
    """Draws what Deep-Z learns from: a plane with a distance, and the plane at that distance.

    Both planes lie within `range_um` of the patch's focus plane, and at most `range_um` apart. The
    distance, z of the target minus z of the input, is appended to the image as a second channel, the
    digital propagation matrix (DPM), in units of 10 um and the same at every pixel.

    Parameters, attributes, normalisation and augmentation are those of `PairSampler`, whose ``count`` is
    here the number of different input planes: each has the same chance, and among its possible targets each
    has the same chance.
    """

    def batch(self, number):
        """Draw a batch, the same one for the same number whatever was drawn before.

        Returns
        -------
        inputs : (B, crop, crop, 2) ndarray of float32
            Normalised image and DPM.
        targets : (B, crop, crop, 1) ndarray of float32
            Normalised units.
        """
        rng = np.random.default_rng([self.seed, number])
        drawn = [self._draw_propagation(rng) for _ in range(self.batch_size)]
        return np.stack([inputs for inputs, _ in drawn]), np.stack([target for _, target in drawn])

    def validation_set(self, count):
        """Give a fixed set of pairs that covers the inputs' range of z evenly; the targets are drawn once.

        Returns
        -------
        inputs, targets : ndarray of float32
            As of `batch`; central crops, not turned.
        """
        rng = np.random.default_rng([self.seed, 2**32 - 1])
        chosen = self._even_in_z(min(count, self.count))
        drawn = []
        for pair in chosen:
            centre = self._crop_room(pair) // 2
            drawn.append(self._propagation(pair, self._draw_target(pair, rng), centre, centre))
        return np.stack([inputs for inputs, _ in drawn]), np.stack([target for _, target in drawn])

    def fingerprint(self):
        """Give a hash of what is drawn and how; never that of a sampler of another kind."""
        return f"propagation {super().fingerprint()}"

    def targets_of(self, pair):
        """List the pairs whose plane the plane of a pair may be propagated to, itself among them."""
        number = np.searchsorted(self._first, pair, side="right") - 1
        z_um = self._z_um(self._patches[number])[self._planes[number]]
        apart = np.abs(z_um - z_um[pair - self._first[number]])
        return self._first[number] + np.flatnonzero(apart <= self.range_um + Z_TOLERANCE_UM)

    def distance_um(self, pair, target):
        """Give the distance in um from the plane of one pair to that of another of the same patch."""
        number = np.searchsorted(self._first, pair, side="right") - 1
        z_um = self._z_um(self._patches[number])[self._planes[number]]
        return float(z_um[target - self._first[number]] - z_um[pair - self._first[number]])

    def _draw_propagation(self, rng):
        pair = int(rng.integers(self.count))
        target = self._draw_target(pair, rng)
        y, x = rng.integers(self._crop_room(pair) + 1, size=2)
        turns, mirrored = rng.integers(4), rng.integers(2)
        images = self._propagation(pair, target, int(y), int(x))
        if self.augment:
            images = [np.rot90(image, turns) for image in images]
            images = [image[:, ::-1] if mirrored else image for image in images]
        return images

    def _draw_target(self, pair, rng):
        return int(rng.choice(self.targets_of(pair)))

    def _propagation(self, pair, target, y, x):
        image = self._plane(pair, y, x)
        dpm = np.full((*image.shape[:2], 1), self.distance_um(pair, target) / DPM_UNIT_UM, np.float32)
        return np.concatenate([image, dpm], axis=-1), self._plane(target, y, x)

    def _plane(self, pair, y, x):
        return self._crop(pair, y, x)[0]

    def _even_in_z(self, count):
        """Choose pairs that cover z evenly and the patches at random."""
        z_um = [self._z_um(patch)[planes] for patch, planes in zip(self._patches, self._planes, strict=True)]
        shuffled = np.random.default_rng(self.seed).permutation(self.count)
        in_z = np.lexsort((shuffled, np.round(np.concatenate(z_um), 3)))
        return in_z[((np.arange(count) + 0.5) * self.count / count).astype(int)]


class DefocusPairs(PropagationPairs):
    """Draws what the decoder learns from: a plane, and its own defocus as a uniform map.

    The map is z of the plane minus z of the patch's focus plane, with its sign, in units of 10 um.
    """

    def fingerprint(self):
        """Give a hash of what is drawn and how; never that of a sampler of another kind."""
        return f"defocus {super().fingerprint()}"

    def _draw_target(self, pair, rng):
        return pair

    def _propagation(self, pair, target, y, x):
        number = np.searchsorted(self._first, pair, side="right") - 1
        z_um = self._z_um(self._patches[number])[self._planes[number]][pair - self._first[number]]
        image = self._plane(pair, y, x)
        return image, np.full((*image.shape[:2], 1), z_um / DPM_UNIT_UM, np.float32)
