"""A block's evidence as bytes: nothing is lost, nothing wrong gets in, damage is noticed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import numpy as safetensors

from metarobust.audit.payload import (
    ARRAYS,
    FUNCTION_PICTURE,
    PICTURE,
    BlockEvidence,
    decode,
    encode,
)
from metarobust.core.errors import StoreError

SIZES = {"E": 3, "Q": 6, "N": 2, "S": 4}


def array(layout, sizes, rng, image=(1, 5, 5)):
    shape = []
    for axis in layout.axes.split():
        shape.extend(image if axis == "..." else [sizes[axis]])
    return rng.integers(0, 100, shape).astype(layout.dtype)


def evidence(sizes=SIZES, image=(1, 5, 5), extras=None, seed=0):
    rng = np.random.default_rng(seed)
    arrays = {name: array(layout, sizes, rng) for name, layout in ARRAYS.items()}
    picture = {name: array(layout, sizes, rng, image) for name, layout in PICTURE.items()}
    return BlockEvidence(arrays, picture, {"gap": 0.25} if extras is None else extras)


def assert_same(left, right):
    for part in ("arrays", "picture"):
        old, new = getattr(left, part), getattr(right, part)
        assert old.keys() == new.keys()
        for name in old:
            assert old[name].dtype == new[name].dtype
            np.testing.assert_array_equal(old[name], new[name])
    assert left.extras == right.extras


def test_radii_are_kept_where_they_were_sought():
    block = evidence()
    radii = np.array([[0.5, -1.0, 0.1, 2.0, 0.3, 0.4]] * 3)
    sought = BlockEvidence({**block.arrays, "radius": radii}, block.picture, block.extras)
    np.testing.assert_array_equal(decode(encode(sought)).arrays["radius"], radii)
    assert "radius" not in decode(encode(block)).arrays


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.fixed_dictionaries({axis: st.integers(1, 6) for axis in "EQNS"}),
    image=st.sampled_from([(7,), (1, 4, 4), (3, 2, 5)]),
    extras=st.dictionaries(
        st.text(min_size=1, max_size=8), st.floats(allow_nan=False, allow_infinity=False)
    ),
    seed=st.integers(0, 2**32),
)
def test_decode_undoes_encode(sizes, image, extras, seed):
    block = evidence(sizes, image, extras, seed)
    assert_same(decode(encode(block)), block)


def test_same_evidence_same_bytes_in_any_order():
    block = evidence()
    turned = BlockEvidence(dict(reversed(block.arrays.items())), block.picture, block.extras)
    assert encode(turned) == encode(block)


def test_names_in_the_bytes_are_those_of_the_format():
    names = set(safetensors.load(encode(evidence())))
    assert names == {*ARRAYS, *(f"picture.{name}" for name in PICTURE), "extra.gap"}


def test_a_block_without_a_picture():
    block = BlockEvidence(evidence().arrays)
    assert_same(decode(encode(block)), block)


def test_a_picture_of_a_function_has_values_and_points_instead_of_labels():
    rng = np.random.default_rng(1)
    picture = {
        name: array(layout, {**SIZES, "P": 9}, rng, (1,))
        for name, layout in FUNCTION_PICTURE.items()
    }
    block = BlockEvidence(evidence().arrays, picture)
    assert_same(decode(encode(block)), block)
    both = picture | {"support_y": np.zeros(SIZES["S"], np.int64)}
    with pytest.raises(StoreError, match="no array 'support_y'"):
        encode(BlockEvidence(block.arrays, both))


def test_numbers_of_the_same_kind_are_converted():
    block = evidence()
    arrays = dict(block.arrays)
    arrays["logits"] = arrays["logits"].astype(np.float64)
    arrays["labels"] = arrays["labels"].astype(np.int32)
    arrays["attacker_correct"] = arrays["attacker_correct"].astype(np.int64)
    assert_same(decode(encode(BlockEvidence(arrays, block.picture, block.extras))), block)


def test_an_array_of_strides_is_stored_in_order():
    block = evidence()
    arrays = dict(block.arrays) | {"logits": np.asfortranarray(block.arrays["logits"])}
    assert encode(BlockEvidence(arrays, block.picture, block.extras)) == encode(block)


@pytest.mark.parametrize("name", ["logits", "budget_used", "objective_end"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_names_its_array(name, value):
    block = evidence()
    block.arrays[name].flat[1] = value
    with pytest.raises(StoreError, match=f"{name}: expected finite numbers, got 1 of"):
        encode(block)


def test_a_float64_too_large_for_float32_is_not_finite():
    arrays = dict(evidence().arrays)
    arrays["logits"] = arrays["logits"].astype(np.float64) + 1e300
    with pytest.raises(StoreError, match="logits: expected finite numbers"):
        encode(BlockEvidence(arrays))


def test_pictures_and_extras_must_be_finite():
    block = evidence(extras={"gap": float("nan")})
    with pytest.raises(StoreError, match=r"extra\.gap: expected finite"):
        encode(block)
    block = evidence()
    block.picture["query"][0] = np.nan
    with pytest.raises(StoreError, match=r"picture\.query: expected finite"):
        encode(block)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("labels", lambda a: a[:, :-1], r"labels: expected shape \[E, Q\] with E = 3, Q = 6, got"),
        ("number", lambda a: a[:-1], r"number: expected shape \[E\] with E = 3, got \[2\]"),
        ("number", lambda a: a[0], r"number: expected shape \[E\].* got \[\]"),
        ("logits", lambda a: a[0], r"logits: expected shape \[E, Q, N\].* got \[6, 2\]"),
        ("labels", lambda a: a.astype(np.float32), "labels: expected int64 values, got float32"),
        ("logits", lambda a: a.astype(str), "logits: expected float32 values, got <U"),
        ("logits", lambda a: a.astype(np.complex64), "logits: expected float32 values, got compl"),
    ],
)
def test_a_wrong_shape_or_kind_names_its_array(name, change, message):
    arrays = dict(evidence().arrays)
    arrays[name] = change(arrays[name])
    with pytest.raises(StoreError, match=message):
        encode(BlockEvidence(arrays))


def test_a_picture_has_the_sizes_of_its_block():
    block = evidence()
    wrong = dict(block.picture) | {"query": block.picture["query"][:-1]}
    with pytest.raises(StoreError, match=r"picture\.query: expected shape \[Q, \.\.\.\]"):
        encode(BlockEvidence(block.arrays, wrong))
    wrong = dict(block.picture) | {"query": block.picture["query"][..., :-1]}
    with pytest.raises(StoreError, match=r"picture\.query: expected shape"):
        encode(BlockEvidence(block.arrays, wrong))


def test_unknown_and_missing_names():
    block = evidence()
    with pytest.raises(StoreError, match="no array 'logit': did you mean 'logits'"):
        encode(BlockEvidence({**block.arrays, "logit": block.arrays["logits"]}))
    arrays = dict(block.arrays)
    del arrays["labels"], arrays["changed"]
    with pytest.raises(StoreError, match="needs the arrays changed, labels, which"):
        encode(BlockEvidence(arrays))
    with pytest.raises(StoreError, match="needs the arrays query_clean, support, "):
        encode(BlockEvidence(block.arrays, {"query": block.picture["query"]}))


def test_an_empty_block_is_refused():
    with pytest.raises(StoreError, match="at least one episode"):
        encode(evidence({**SIZES, "E": 0}))


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 3000))
def test_truncated_bytes_are_damage(cut):
    payload = encode(evidence())
    with pytest.raises(StoreError, match="safetensors format"):
        decode(payload[: min(cut, len(payload) - 1)])


@settings(max_examples=60, deadline=None)
@given(garbage=st.binary(max_size=200))
def test_garbage_is_damage(garbage):
    with pytest.raises(StoreError):
        decode(garbage)


def test_other_safetensors_are_not_a_block():
    with pytest.raises(StoreError, match="no array 'weight'"):
        decode(safetensors.save({"weight": np.zeros(3, np.float32)}))
    tensors = safetensors.load(encode(evidence()))
    with pytest.raises(StoreError, match=r"extra\.gap: expected shape \[1\], got \[2\]"):
        decode(safetensors.save({**tensors, "extra.gap": np.zeros(2)}))
    with pytest.raises(StoreError, match=r"no array 'other\.logits'"):
        decode(safetensors.save({**tensors, "other.logits": np.zeros(2)}))
