"""Common corruptions with published severities, seeded per image."""

from metarobust.corruptions.base import CORRUPTIONS as CORRUPTIONS
from metarobust.corruptions.base import Corruption as Corruption
from metarobust.corruptions.contrast import Contrast as Contrast
from metarobust.corruptions.gaussian_blur import GaussianBlur as GaussianBlur
from metarobust.corruptions.gaussian_noise import GaussianNoise as GaussianNoise
from metarobust.corruptions.pixelate import Pixelate as Pixelate
from metarobust.corruptions.seeded import corrupt as corrupt
from metarobust.corruptions.severities import choose_table as choose_table
