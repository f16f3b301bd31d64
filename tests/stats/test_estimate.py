import json
import math
from dataclasses import asdict

import pytest

from metarobust.stats.estimate import Estimate


@pytest.mark.parametrize("field", ["value", "low", "high"])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_an_estimate_refuses_what_json_cannot_say(field: str, number: float) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected a finite number"):
        Estimate(**{"value": 0.5, field: number})


def test_a_missing_estimate_is_null_in_json() -> None:
    text = json.dumps(asdict(Estimate(None, reason="no episode")), allow_nan=False)
    assert json.loads(text)["value"] is None
