"""Quantize: fewer levels of grey."""

from torch import Tensor

from metarobust.corruptions.base import Corruption, register


@register
class Quantize(Corruption):
    """Rounded to 2^bits evenly spaced values from 0 to 1.

    Parameters: (bits,). Rounding has no useful gradient: it is 0 almost everywhere.
    """

    name = "quantize"
    summary = "rounds to few levels"
    group = "mnist-c"
    differentiable = False

    def apply(self, images: Tensor, draws: Tensor, parameters: tuple[float, ...]) -> Tensor:
        """Round."""
        (bits,) = parameters
        steps = 2**bits - 1
        return (images * steps).round() / steps
