"""Common corruptions with published severities, seeded per image."""

from metarobust.corruptions.affine import Rotate as Rotate
from metarobust.corruptions.affine import Scale as Scale
from metarobust.corruptions.affine import Shear as Shear
from metarobust.corruptions.affine import Translate as Translate
from metarobust.corruptions.base import CORRUPTIONS as CORRUPTIONS
from metarobust.corruptions.base import Corruption as Corruption
from metarobust.corruptions.brightness import Brightness as Brightness
from metarobust.corruptions.canny_edges import CannyEdges as CannyEdges
from metarobust.corruptions.checkerboard_cutout import CheckerboardCutout as CheckerboardCutout
from metarobust.corruptions.circular_motion_blur import CircularMotionBlur as CircularMotionBlur
from metarobust.corruptions.contrast import Contrast as Contrast
from metarobust.corruptions.defocus_blur import DefocusBlur as DefocusBlur
from metarobust.corruptions.elastic_transform import ElasticTransform as ElasticTransform
from metarobust.corruptions.fog import Fog as Fog
from metarobust.corruptions.fourier_noise import BlueNoiseSample as BlueNoiseSample
from metarobust.corruptions.fourier_noise import BrownishNoise as BrownishNoise
from metarobust.corruptions.frost import Frost as Frost
from metarobust.corruptions.gaussian_blur import GaussianBlur as GaussianBlur
from metarobust.corruptions.gaussian_noise import GaussianNoise as GaussianNoise
from metarobust.corruptions.glass_blur import GlassBlur as GlassBlur
from metarobust.corruptions.impulse_noise import ImpulseNoise as ImpulseNoise
from metarobust.corruptions.inversion import Inverse as Inverse
from metarobust.corruptions.inversion import Stripe as Stripe
from metarobust.corruptions.jpeg_compression import JpegCompression as JpegCompression
from metarobust.corruptions.lines import Lines as Lines
from metarobust.corruptions.motion_blur import MotionBlur as MotionBlur
from metarobust.corruptions.pixelate import Pixelate as Pixelate
from metarobust.corruptions.quantize import Quantize as Quantize
from metarobust.corruptions.saturate import Saturate as Saturate
from metarobust.corruptions.seeded import corrupt as corrupt
from metarobust.corruptions.severities import choose_table as choose_table
from metarobust.corruptions.severities import table_of as table_of
from metarobust.corruptions.shot_noise import ShotNoise as ShotNoise
from metarobust.corruptions.snow import Snow as Snow
from metarobust.corruptions.sparkles import InverseSparkles as InverseSparkles
from metarobust.corruptions.sparkles import Sparkles as Sparkles
from metarobust.corruptions.spatter import Spatter as Spatter
from metarobust.corruptions.speckle_noise import SpeckleNoise as SpeckleNoise
from metarobust.corruptions.strokes import DottedLine as DottedLine
from metarobust.corruptions.strokes import Zigzag as Zigzag
from metarobust.corruptions.transverse_chromatic_aberration import (
    TransverseChromaticAberration as TransverseChromaticAberration,
)
from metarobust.corruptions.warps import PinchAndTwirl as PinchAndTwirl
from metarobust.corruptions.warps import Ripple as Ripple
from metarobust.corruptions.zoom_blur import ZoomBlur as ZoomBlur
