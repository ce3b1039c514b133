import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.data.pictures import as_rgb, fitting, parse_size, resized


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((64, 64), (64, 64)),
        ((128, 96), (128, 96)),
        ((400, 600), (64, 96)),
        ((210, 160), (80, 64)),
        ((84, 84), (64, 64)),
        ((56, 56), (64, 64)),
        ((1080, 1920), (64, 112)),
        ((100, 4000), (64, 128)),
    ],
)
def test_a_size_that_fits_is_kept_and_others_come_near(size, fitted):
    assert fitting(*size) == fitted
    assert fitting(*fitted) == fitted


def test_a_smaller_picture_is_made_of_means():
    picture = np.random.default_rng(0).integers(256, size=(64, 96, 3), dtype=np.uint8)
    means = picture.reshape(32, 2, 32, 3, 3).mean(axis=(1, 3))
    assert np.abs(resized(picture, (32, 32)) - means).max() <= 1


def test_a_picture_of_the_right_size_is_left_alone():
    picture = np.random.default_rng(0).integers(256, size=(32, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resized(picture, (32, 16)), picture)


def test_pictures_of_other_kinds_become_rgb():
    rgb = np.random.default_rng(0).integers(256, size=(5, 6, 3), dtype=np.uint8)
    alpha = np.concatenate([rgb, rgb[:, :, :1]], axis=2)
    for given in (rgb, alpha, rgb.transpose(2, 0, 1)):
        np.testing.assert_array_equal(as_rgb(given), rgb)
    grey = rgb[:, :, 0]
    for given in (grey, grey[:, :, None], grey[None]):
        np.testing.assert_array_equal(as_rgb(given), np.stack([grey] * 3, axis=2))


@pytest.mark.parametrize("picture", [np.zeros((4, 4, 3)), np.zeros((5, 6, 2), np.uint8), np.zeros(3, np.uint8)])
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(DatasetError, match="A picture is uint8"):
        as_rgb(picture)


@pytest.mark.parametrize("text", ["64", "64x60", "0x64", "axb", "64x64x3"])
def test_a_size_that_cannot_be_is_refused(text):
    with pytest.raises(DatasetError, match="HEIGHTxWIDTH"):
        parse_size(text)
    assert parse_size("64x96") == (64, 96)
