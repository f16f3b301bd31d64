"""The one place that maps one-episode code over many episodes, and differentiates it.

Learners, attacks and objectives are written for one episode. Two backends run them: `loop`, a
plain loop with plain autograd, fastest on a CPU; and `vmap`, `torch.func.vmap` over chunks, for a
GPU. `vmap` is always outermost: `vmap(grad(f))` is right, while `grad(vmap(f))` is silently wrong
through affine normalisation layers in the torch releases we support.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

Backend = Literal["loop", "vmap"]
Tree = TypeVar("Tree")

_inside_vmap: ContextVar[bool] = ContextVar("_inside_vmap", default=False)


def preferred_backend(device: torch.device) -> Backend:
    """The faster backend for a device: a loop on a CPU, vmap on a GPU."""
    return "vmap" if device.type == "cuda" else "loop"


def inside_vmap() -> bool:
    """Whether the code that asks is mapped by `vmap`, so that no shape may depend on the data."""
    return _inside_vmap.get()


def stack_episodes(trees: list[Tree]) -> Tree:
    """Stack equal-shaped trees of tensors along a new leading axis, the episode axis."""
    flat = [tree_flatten(tree) for tree in trees]
    spec = flat[0][1]
    leaves = [torch.stack(column) for column in zip(*(leaves for leaves, _ in flat), strict=True)]
    stacked: Tree = tree_unflatten(leaves, spec)
    return stacked


def episode_count(block: Any) -> int:
    """The length of the episode axis of a stacked tree."""
    return int(tree_flatten(block)[0][0].shape[0])


def map_episodes(
    fn: Callable[..., Tree], *blocks: Any, backend: Backend = "loop", chunk: int = 16
) -> Tree:
    """Apply one-episode code to every episode of a block.

    Args:
        fn: takes one episode's slice of each block and returns a tree of tensors whose shapes do
            not depend on the data.
        blocks: trees of tensors with the same leading axis E.
        backend: how to map; both give the same values (bit for bit only within a backend).
        chunk: how many episodes the vmap backend holds at once. Memory only; not results.

    Returns:
        The tree that `fn` returns, each tensor with a leading axis E.
    """
    if backend == "loop":
        outputs = [
            fn(*(tree_map(lambda leaf, e=e: leaf[e], block) for block in blocks))
            for e in range(episode_count(blocks[0]))
        ]
        return stack_episodes(outputs)
    token = _inside_vmap.set(True)
    try:
        mapped: Tree = torch.func.vmap(fn, chunk_size=chunk)(*blocks)
        return mapped
    finally:
        _inside_vmap.reset(token)


def gradient(
    fn: Callable[[Tree], Any], at: Tree, *, create_graph: bool = False, has_aux: bool = False
) -> tuple[Tree, Any]:
    """Gradient and value of a scalar function at a tree of tensors, inside or outside `vmap`.

    Args:
        fn: maps the tree to a scalar tensor, differentiably; with `has_aux`, to a pair of that
            scalar and a tree of tensors that rides along.
        at: a tensor, or a tree of tensors, to differentiate with respect to.
        create_graph: keep the result differentiable, so that an outer gradient can pass through.
        has_aux: whether `fn` returns a pair.

    Returns:
        The gradient (a tree like `at`; zeros where `fn` does not depend on a leaf), and what `fn`
        returned.
    """
    keep = _identity if create_graph else Tensor.detach
    if _inside_vmap.get():
        grads, returned = torch.func.grad_and_value(fn, has_aux=has_aux)(at)
        return tree_map(keep, grads), tree_map(keep, returned)
    leaves, spec = tree_flatten(at)
    with torch.enable_grad():
        if create_graph:
            leaves = [x if x.requires_grad else x.detach().requires_grad_() for x in leaves]
        else:
            leaves = [x.detach().requires_grad_() for x in leaves]
        returned = fn(tree_unflatten(leaves, spec))
        value = returned[0] if has_aux else returned
        found: tuple[Tensor | None, ...] = (None,) * len(leaves)
        if value.requires_grad:
            found = torch.autograd.grad(value, leaves, create_graph=create_graph, allow_unused=True)
    grads = [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, found, strict=True)]
    return tree_unflatten(grads, spec), tree_map(keep, returned)


def channels_last(stored: Tensor) -> Tensor:
    """A tensor [n, height, width, channels] seen as [n, channels, height, width].

    In a loop the view has channels_last strides, which torch cannot tell by itself for one channel
    and which a weight made by an inner gradient step would lose; CPU convolution, pooling and
    normalisation are up to three times faster in that layout. `vmap` has no channels_last
    derivatives and gets the plain layout.
    """
    view = stored.permute(0, 3, 1, 2)
    return view.contiguous() if _inside_vmap.get() else view


def _identity(tensor: Tensor) -> Tensor:
    return tensor


class _TaskLoss(nn.Module):
    """Lets `functional_call` swap a module's parameters while a closure over it runs."""

    def __init__(self, module: nn.Module, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.module = module
        self.loss = loss

    def forward(self, *slices: Any) -> Tensor:
        return self.loss(*slices)


def mean_gradient(
    module: nn.Module,
    loss: Callable[..., Tensor],
    *blocks: Any,
    backend: Backend = "loop",
    chunk: int = 16,
) -> tuple[dict[str, Tensor], Tensor]:
    """Gradient of the mean loss over a block of episodes, with respect to a module's parameters.

    Args:
        module: its trainable parameters are differentiated; it is left unchanged.
        loss: one episode's slice of each block to a scalar; uses `module` by closure.
        blocks: trees of tensors with the same leading axis E.
        backend: how to map over the episodes.
        chunk: episodes held at once by the vmap backend.

    Returns:
        The gradient of each trainable parameter by name, and the losses [E].
    """
    parameters = {k: p for k, p in module.named_parameters() if p.requires_grad}
    count = episode_count(blocks[0])
    if backend == "vmap":
        task = _TaskLoss(module, loss)

        def task_gradient(*slices: Any) -> tuple[dict[str, Tensor], Tensor]:
            def at(values: dict[str, Tensor]) -> Tensor:
                named = {f"module.{k}": v for k, v in values.items()}
                out: Tensor = torch.func.functional_call(task, named, slices)
                return out

            values = {k: p.detach() for k, p in parameters.items()}
            return gradient(at, values)

        grads, losses = map_episodes(task_gradient, *blocks, backend="vmap", chunk=chunk)
        return {k: g.mean(0) for k, g in grads.items()}, losses
    total = {k: torch.zeros_like(p) for k, p in parameters.items()}
    values = []
    for e in range(count):
        value = loss(*(tree_map(lambda leaf, e=e: leaf[e], block) for block in blocks))
        found = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
        for key, grad in zip(total, found, strict=True):
            if grad is not None:
                total[key] += grad / count
        values.append(value.detach())
    return total, torch.stack(values)
