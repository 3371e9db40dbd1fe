"""Ways to damage a picture without encoding it, each with a strength from 0, hardly seen, to 1, ruined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from scipy import ndimage

Image: TypeAlias = npt.NDArray[np.float32]
"""(H, W, 3) R'G'B' in 0..1."""

Damage: TypeAlias = Callable[[Image, float, np.random.Generator], npt.NDArray[np.floating]]
"""(picture, strength, random numbers) -> picture, which may leave 0..1."""

KERNELS = tuple(Pillow.Resampling)
"""Nearest neighbour, box, bilinear, Hamming, bicubic and Lanczos."""


def between(low: float, high: float, strength: float) -> float:
    """A parameter in equal ratios from `low` at strength 0 to `high` at 1.

    Args:
        low: Above 0.
        high: Above 0.
        strength: 0..1.
    """
    return float(low * (high / low) ** strength)


def resized(image: Image, width: int, height: int, kernel: int) -> Image:
    """Another size, without rounding to 8 bits.

    Args:
        image: The picture.
        width: New number of columns.
        height: New number of rows.
        kernel: One of KERNELS.
    """
    planes = [Pillow.fromarray(np.ascontiguousarray(image[..., n])) for n in range(3)]
    return np.stack([np.asarray(p.resize((width, height), KERNELS[kernel])) for p in planes], axis=-1)


def _smooth(image: npt.NDArray[np.floating], sigma: float) -> npt.NDArray[np.floating]:
    return np.asarray(ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="nearest"))


def _filtered(image: Image, kernel: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    weights = np.asarray(kernel / kernel.sum(), np.float32)[..., None]
    return np.asarray(ndimage.convolve(image, weights, mode="nearest"))


def blur(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Gaussian low-pass, 0.3 to 5 samples."""
    return _smooth(image, between(0.3, 5, strength))


def motion_blur(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Mean along a line of 2 to 24 samples in any direction."""
    length, angle = between(2, 24, strength), rng.uniform(0, np.pi)
    reach = int(np.ceil(length / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for t in np.linspace(-length / 2, length / 2, 4 * reach + 1):
        kernel[round(reach + t * np.sin(angle)), round(reach + t * np.cos(angle))] += 1
    return _filtered(image, kernel)


def defocus(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Mean over a disc, 0.7 to 8 samples of radius."""
    radius = between(0.7, 8, strength)
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return _filtered(image, np.clip(radius + 0.5 - np.hypot(x, y), 0, 1))


def noise(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """White noise, independent in each channel."""
    return image + between(0.005, 0.25, strength) * rng.standard_normal(image.shape, np.float32)


def grey_noise(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Noise that is the same in all channels, of any grain."""
    grain = ndimage.gaussian_filter(rng.standard_normal(image.shape[:2]), rng.uniform(0, 1.2))
    return np.asarray(image + between(0.005, 0.2, strength) * (grain / grain.std())[..., None])


def photon_noise(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Poisson noise of 20,000 to 12 photons at white."""
    photons = between(20000, 12, strength)
    return rng.poisson(image * photons) / photons


def impulses(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Samples that are black or white instead."""
    draw = rng.random(image.shape if rng.random() < 0.5 else (*image.shape[:2], 1))
    share = between(0.0005, 0.2, strength)
    return np.where(draw < share / 2, 0, np.where(draw < share, 1, image))


def median(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Median of 2x2 to 6x6 samples, mixed with the picture at low strengths."""
    size = round(between(2, 6, strength))
    smooth = np.asarray(ndimage.median_filter(image, (size, size, 1)))
    return image + min(1, 0.3 + 2 * strength) * (smooth - image)


def denoise(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Guided filter (He et al. 2010), as denoisers smooth what is weak; sometimes of a noisy picture."""
    if rng.random() < 0.4:
        image = np.asarray(noise(image, 0.7 * strength, rng), np.float32)
    size, edge = (int(rng.integers(3, 10)),) * 2 + (1,), between(2e-5, 2e-2, strength)
    mean = ndimage.uniform_filter(image, size, mode="nearest")
    variance = ndimage.uniform_filter(image * image, size, mode="nearest") - mean * mean
    gain = variance / (variance + edge)
    offset = ndimage.uniform_filter(mean - gain * mean, size, mode="nearest")
    return np.asarray(ndimage.uniform_filter(gain, size, mode="nearest") * image + offset)


def rescale(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """To a smaller size and back, with any two kernels."""
    height, width = image.shape[:2]
    share = 1 / between(1.1, 8, strength)
    small = resized(image, max(round(width * share), 4), max(round(height * share), 4), int(rng.integers(1, 6)))
    return resized(small, width, height, int(rng.integers(1, 6)))


def banding(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Fewer levels, 64 to 3, sometimes dithered."""
    levels = round(between(64, 3, strength)) - 1
    dither = rng.uniform(-0.5, 0.5, image.shape) * float(rng.random() < 0.3)
    return np.rint(image * levels + dither) / levels


def contrast(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Differences from the mean, smaller or larger."""
    gain = between(1.03, 3, strength)
    mean = image.mean()
    return np.asarray(mean + (image - mean) * (gain if rng.random() < 0.4 else 1 / gain))


def brightness(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """All samples up or down."""
    return image + between(0.01, 0.35, strength) * float(rng.choice((-1, 1)))


def gamma(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Another transfer curve."""
    power = between(1.03, 3, strength)
    return np.asarray(image ** (power if rng.random() < 0.5 else 1 / power))


def saturation(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Colours paler or richer."""
    grey = image.mean(axis=2, keepdims=True)
    return np.asarray(grey + (image - grey) * (1 - strength if rng.random() < 0.6 else 1 + 2 * strength))


def tint(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """A gain for each channel, as a wrong white balance has."""
    return image * (1 + between(0.01, 0.5, strength) * rng.uniform(-1, 1, 3))


def moved(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """A small shift, turn and zoom at once."""
    size = between(0.2, 8, strength)
    angle, zoom = rng.uniform(-1, 1, 2) * size * 0.004
    turn = (1 + zoom) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array(image.shape[:2]) / 2
    offset = centre - turn @ centre + rng.uniform(-1, 1, 2) * size
    planes = [ndimage.affine_transform(image[..., n], turn, offset, order=1, mode="mirror") for n in range(3)]
    return np.stack(planes, axis=-1)


def scatter(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Texture resampled: every sample is taken from somewhere near, in smooth or rough patches."""
    shape, patch = image.shape[:2], rng.uniform(0, 6)
    shifts = [ndimage.gaussian_filter(rng.standard_normal(shape), patch) for _ in range(2)]
    reach = between(0.5, 8, strength)
    places = [grid + reach * s / s.std() for grid, s in zip(np.indices(shape), shifts, strict=True)]
    return np.stack([ndimage.map_coordinates(image[..., n], places, order=1, mode="mirror") for n in range(3)], -1)


def lost_blocks(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Blocks that show their neighbourhood, a mean or black instead, as after lost packets."""
    result, block = image.copy(), int(rng.choice((8, 16, 32)))
    rows, columns = (side // block for side in image.shape[:2])
    for place in rng.choice(rows * columns, max(round(between(0.005, 0.3, strength) * rows * columns), 1)):
        y, x = block * (place // columns), block * (place % columns)
        here = result[y : y + block, x : x + block]
        there = image[max(y - block, 0) :][:block, max(x - 3, 0) :][:, :block]
        here[:] = (there if rng.random() < 0.6 else here.mean((0, 1))) if rng.random() < 0.9 else 0
    return result


def sharpen(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Unsharp mask of a small radius."""
    return image + between(0.1, 2.5, strength) * (image - _smooth(image, rng.uniform(0.6, 1.2)))


def ringing(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Frequencies above a sharp limit are gone."""
    spectrum = np.fft.rfft2(image, axes=(0, 1))
    y, x = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None]
    passed = np.hypot(y, x) < between(0.5, 0.05, strength)
    return np.fft.irfft2(spectrum * passed[..., None], image.shape[:2], axes=(0, 1))


def colour_noise(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Noise in the colours alone, of any grain."""
    grain = np.asarray(ndimage.gaussian_filter(rng.standard_normal(image.shape), (*(rng.uniform(0, 2),) * 2, 0)))
    grain -= grain.mean(axis=2, keepdims=True)
    return np.asarray(image + between(0.01, 0.3, strength) * grain / grain.std())


def pixelate(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Means of 2 to 10 samples square, shown as squares."""
    height, width = image.shape[:2]
    side = between(2, 10, strength)
    return resized(resized(image, max(round(width / side), 2), max(round(height / side), 2), 1), width, height, 0)


def fog(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Light that is thicker in some places than in others."""
    cloud = ndimage.gaussian_filter(rng.standard_normal(image.shape[:2]), 24, mode="nearest")
    share = between(0.05, 0.85, strength) * np.clip(0.7 + 0.3 * cloud / cloud.std(), 0, 1)[..., None]
    return np.asarray(image * (1 - share) + share * rng.uniform(0.7, 0.95))


def fringes(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Red and blue of slightly different scale, as through a cheap lens."""
    result, size = image.copy(), between(0.002, 0.05, strength)
    centre = np.array(image.shape[:2]) / 2
    for channel, zoom in ((0, 1 - size), (2, 1 + size)):
        offset = centre - zoom * centre
        result[..., channel] = ndimage.affine_transform(
            image[..., channel], (zoom, zoom), offset, order=1, mode="nearest"
        )
    return result


def elastic(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """A smooth bend of the whole picture."""
    shape = image.shape[:2]
    shifts = [ndimage.gaussian_filter(rng.standard_normal(shape), 16) for _ in range(2)]
    reach = between(0.5, 12, strength)
    places = [grid + reach * s / np.abs(s).max() for grid, s in zip(np.indices(shape), shifts, strict=True)]
    return np.stack([ndimage.map_coordinates(image[..., n], places, order=1, mode="mirror") for n in range(3)], -1)


def halos(image: Image, strength: float, rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """Unsharp mask of a large radius, as over-eager phones have it."""
    return image + between(0.2, 4, strength) * (image - _smooth(image, rng.uniform(2, 5)))


TAUGHT: Mapping[str, Damage] = {
    one.__name__: one
    for one in (
        blur, motion_blur, defocus, noise, grey_noise, photon_noise, impulses, median, denoise, rescale, banding,
        contrast, brightness, gamma, saturation, tint, moved, scatter, lost_blocks, sharpen, ringing,
    )
}  # fmt: skip
"""What the network sees in training."""

UNSEEN: Mapping[str, Damage] = {one.__name__: one for one in (colour_noise, pixelate, fog, fringes, elastic, halos)}
"""What only the test has."""
