"""One picture file to one uint8 array, decoded without trusting the file; and resizing."""

import io
import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from metarobust.core.errors import ConfigError, DataError
from metarobust.data.archive import Source
from metarobust.data.base import Images

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".webp")
RESAMPLING = "bilinear, antialiased (Pillow)"

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP")
_MAX_PIXELS = 36_000_000
_MAX_SIZE = 1024
_MODES = {1: "L", 3: "RGB"}


def is_image(name: str) -> bool:
    """Whether a file name ends like a picture that `decode_image` reads."""
    return name.lower().endswith(SUFFIXES)


def decode_image(
    data: bytes, name: str, *, channels: int, size: int | None = None, max_pixels: int = _MAX_PIXELS
) -> Images:
    """Decode PNG, JPEG, BMP, GIF, PPM or WebP bytes.

    Sixteen-bit grey is scaled by 1/257 (Pillow alone would saturate it: 40000 becomes 255 instead
    of 156). CMYK and palettes are converted; transparency is laid on white; of a stereo pair (MPO,
    as some cameras write) the first picture counts. A picture that is not square is stretched to
    `size` x `size`.

    Args:
        data: the file's bytes.
        name: what to call the file in messages.
        channels: 1 (grey, ITU-R 601 luma) or 3 (RGB).
        size: height and width of the result; None keeps the picture's own.
        max_pixels: cap on width x height, read from the header before any pixel is decoded.

    Returns:
        uint8 [channels, H, W].

    Raises:
        ConfigError: `channels` is neither 1 nor 3.
        DataError: the file is truncated, animated, too large, in another format, or no picture.
    """
    mode = image_mode(channels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=_FORMATS)
        with picture:
            width, height = picture.size
            if width * height > max_pixels:
                raise DataError(
                    f"{name!r}: {width}x{height} pixels; the limit is {max_pixels}, refused"
                )
            if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:
                raise DataError(f"{name!r}: an animation; expected a single picture")
            picture.load()
            plain = _eight_bit(picture, name)
    except Image.DecompressionBombError:
        raise DataError(f"{name!r}: more than {max_pixels} pixels, refused") from None
    except UnidentifiedImageError:
        raise DataError(f"{name!r}: not a picture in {', '.join(_FORMATS)}") from None
    except (OSError, SyntaxError, ValueError, EOFError) as problem:
        raise DataError(f"{name!r}: truncated or damaged picture ({problem})") from None
    plain = plain.convert(mode)
    if size is not None:
        plain = plain.resize((size, size), Image.Resampling.BILINEAR)
    array = np.asarray(plain, dtype=np.uint8)
    return array[None] if channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


def image_mode(channels: int) -> str:
    """Pillow's name for a number of channels.

    Raises:
        ConfigError: `channels` is neither 1 nor 3.
    """
    if channels not in _MODES:
        raise ConfigError(f"channels: expected 1 (grey) or 3 (colour), got {channels!r}")
    return _MODES[channels]


def check_size(size: int) -> None:
    """Refuse a height and width that is not a whole number from 1 to 1024.

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(size, int) or not 1 <= size <= _MAX_SIZE:
        raise ConfigError(f"size: expected whole pixels from 1 to {_MAX_SIZE}, got {size!r}")


def decode_files(
    source: Source, names: Sequence[str], *, channels: int, size: int, title: str
) -> Images:
    """Decode pictures of a source, in the order given, with a progress bar on a terminal.

    Args:
        source: where the files are.
        names: files to decode.
        channels: 1 or 3.
        size: height and width of each result.
        title: what the progress bar says.

    Returns:
        uint8 [len(names), channels, size, size].

    Raises:
        DataError: a file cannot be read or decoded; the message names it.
    """
    image_mode(channels)
    check_size(size)
    images = np.empty((len(names), channels, size, size), np.uint8)
    for row, name in enumerate(tqdm(names, desc=title, unit="image", leave=False, disable=None)):
        images[row] = decode_image(source.read(name), name, channels=channels, size=size)
    return images


def resize_grey(images: npt.NDArray[np.uint8], size: int) -> Images:
    """Grey pictures uint8 [n, H, W] resampled to uint8 [n, 1, size, size]."""
    if images.shape[1:] == (size, size):
        return images[:, None]
    resized = np.empty((len(images), 1, size, size), np.uint8)
    for row, image in enumerate(images):
        picture = Image.fromarray(image)
        resized[row, 0] = np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))
    return resized


def _eight_bit(picture: Image.Image, name: str) -> Image.Image:
    if picture.mode.startswith("I"):
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65535:
            raise DataError(f"{name!r}: grey values outside 0 to 65535; save it with 8 or 16 bits")
        return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if picture.mode == "F":
        raise DataError(f"{name!r}: floating-point pixels; save it with 8 or 16 bits")
    if "transparency" in picture.info or picture.mode in {"LA", "PA", "RGBA", "La", "RGBa"}:
        colour = picture.convert("RGBA")
        white = Image.new("RGBA", colour.size, "white")
        return Image.alpha_composite(white, colour).convert("RGB")
    return picture
