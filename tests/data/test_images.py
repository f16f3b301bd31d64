import io

import numpy as np
import pytest
from PIL import Image

from metarobust.core.errors import ConfigError, DataError
from metarobust.data.images import check_size, decode_image, is_image, resize_grey


def encode(picture, fmt="PNG", **options):
    stream = io.BytesIO()
    picture.save(stream, fmt, **options)
    return stream.getvalue()


def test_grey_and_colour_agree_with_the_pixels(png):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    colour = decode_image(png(pixels), "x", channels=3)
    np.testing.assert_array_equal(colour, pixels.transpose(2, 0, 1))
    grey = decode_image(png(pixels), "x", channels=1)
    assert grey.shape == (1, 5, 7)
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(grey[0], luma, atol=1)


def test_sixteen_bit_grey_is_scaled_not_saturated(png):
    values = np.array([[0, 257, 40000, 65535]], np.uint16)
    assert decode_image(png(values), "x", channels=1).ravel().tolist() == [0, 1, 156, 255]


def test_one_bit(png):
    bits = np.array([[True, False]])
    assert decode_image(png(bits), "x", channels=1).ravel().tolist() == [255, 0]


def test_cmyk_is_converted():
    ink = Image.new("CMYK", (1, 1), (255, 0, 0, 0))
    red, green, blue = decode_image(encode(ink, "JPEG", quality=100), "x", channels=3).ravel()
    assert red < 8
    assert green > 247
    assert blue > 247


def test_transparency_is_laid_on_white():
    clear = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    clear.putpixel((1, 0), (10, 20, 30, 255))
    expected = [[255, 10], [255, 20], [255, 30]]
    assert decode_image(encode(clear), "x", channels=3)[:, 0].tolist() == expected
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.putpixel((1, 0), 1)
    data = encode(palette, transparency=bytes([0, 255]))
    assert decode_image(data, "x", channels=3)[:, 0].tolist() == expected
    faint = Image.new("LA", (1, 1), (0, 128))
    assert decode_image(encode(faint), "x", channels=1).item() == 127


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(40, 40), (12, 33), (5, 3)])
def test_resizing_keeps_a_constant_and_any_shape(png, channels, shape):
    out = decode_image(png(np.full(shape, 77, np.uint8)), "x", channels=channels, size=8)
    assert out.shape == (channels, 8, 8)
    assert (out == 77).all()


def test_resizing_averages_what_it_leaves_out(png):
    # A fine checkerboard: a resampling that only picks pixels would keep black and white.
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    inner = decode_image(png(board), "x", channels=1, size=8)[0, 1:-1, 1:-1]
    assert np.abs(inner.astype(int) - 127).max() <= 2


def test_resize_grey():
    images = np.full((3, 8, 8), 9, np.uint8)
    assert resize_grey(images, 28).shape == (3, 1, 28, 28)
    assert (resize_grey(images, 28) == 9).all()
    np.testing.assert_array_equal(resize_grey(images, 8)[:, 0], images)


def test_the_pixel_cap_is_inclusive(png):
    data = png(np.zeros((10, 10), np.uint8))
    assert decode_image(data, "x", channels=1, max_pixels=100).shape == (1, 10, 10)
    with pytest.raises(DataError, match="10x10 pixels; the limit is 99"):
        decode_image(data, "x", channels=1, max_pixels=99)


def test_a_wrong_option_is_refused(png):
    with pytest.raises(ConfigError, match=r"1 \(grey\) or 3 \(colour\), got 4"):
        decode_image(png(np.zeros((2, 2), np.uint8)), "x", channels=4)
    for size in (0, 1025, 2.5, "28"):
        with pytest.raises(ConfigError, match="whole pixels from 1 to 1024"):
            check_size(size)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/B.JPEG", True), ("x.png", True), ("words.txt", False), ("png", False), ("x.npy", False)],
)
def test_is_image(name, expected):
    assert is_image(name) is expected
