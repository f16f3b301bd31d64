"""The figures of a comparison: differences with intervals, the heat map, the ranks."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from metarobust.audit.compare import BETTER, UNCLEAR, WORSE
from metarobust.report.compare_model import CompareModel, LineView
from metarobust.report.compare_words import signed
from metarobust.report.drawing import INK, MUTED, Drawing, draw, series_colour, shortened
from metarobust.report.fields import show_value
from metarobust.report.text import sentence

_STEP = 0.21
"""Height of a line of text in inches."""

_HEAT = LinearSegmentedColormap.from_list("heat", ["#f4f6f7", "#9ec3dd", "#0b5c98"])


def draw_comparison(model: CompareModel) -> tuple[Drawing, ...]:
    """Every figure that the comparison allows: no ranks, no diagram."""
    figures = (draw_differences(model), draw_heat_map(model))
    return (*figures, draw_ranks(model)) if model.ranking.ranks else figures


def draw_differences(model: CompareModel) -> Drawing:
    """One line per threat: the difference to the reference in points, its interval, its outcome."""
    shown = [line for line in model.lines if _differs(model, line)]
    slots = _slots(shown)
    several = len(model.rivals) > 1
    lift = 0.34 if several else 0.0
    step = _STEP * (1 + 0.2 * (len(model.rivals) - 1))
    digits = model.wording.digits
    height = 0.95 + lift + step * max(len(slots), 1)

    def paint(figure: Figure) -> None:
        bottom, top = 0.5 / height, 1 - (0.4 + lift) / height
        axes = figure.add_axes((0.44, bottom, 0.54, top - bottom))
        for place, slot in enumerate(slots):
            y = -place
            if isinstance(slot, str):
                axes.text(-0.82, y, slot, transform=axes.get_yaxis_transform(), va="center",
                          color=MUTED, fontsize=8.5)  # fmt: skip
                continue
            axes.text(-0.79, y, shortened(f"{slot.name} {slot.strength}", 31),
                      transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)  # fmt: skip
            for rank, rival in enumerate(model.rivals):
                offset = 0.6 * (rank - (len(model.rivals) - 1) / 2) / len(model.rivals)
                _difference(axes, slot, rival, y - offset)
        axes.axvline(0, color=MUTED, linewidth=1)
        axes.set(ylim=(-len(slots) + 0.4, 0.6), yticks=[])
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda x, _: signed(x, digits).removesuffix(".0"))
        )
        reference = shortened(model.methods[model.reference].label, 30)
        axes.set_xlabel(f"{_more(model)} more than {reference}, with 95% intervals")
        _legend(figure, axes, model, several=several)

    words = [_in_words(model, line) for line in shown]
    label = model.methods[model.reference].label
    alt = f"Difference of {model.wording.noun} to {label}, in {model.wording.unit}. "
    return draw("compare-differences", alt + " ".join(words), (5.4, height), paint)


def _more(model: CompareModel) -> str:
    wording = model.wording
    return f"points of {wording.noun}" if wording.measure.unit == "share" else wording.noun


def draw_heat_map(model: CompareModel) -> Drawing:
    """The score of every method (column, with what it was trained against) under every threat."""
    values = [[score.estimate.value for score in line.scores] for line in model.lines]
    unit = model.wording.measure.unit
    rows, columns = len(values), len(model.methods)
    height = 1.0 + 0.26 * rows

    def paint(figure: Figure) -> None:
        top = 1 - 0.85 / height
        width = min(0.6, 0.16 * columns)
        axes = figure.add_axes((0.4, 0.02, width, top - 0.02))
        axes.grid(visible=False)
        for y, row in enumerate(values):
            for x, value in enumerate(row):
                share = model.height(value) or 0.0
                axes.fill_between([x, x + 1], y, y + 1, color=_HEAT(share), linewidth=0)
                axes.text(x + 0.5, y + 0.5, show_value(value, unit), ha="center", va="center",
                          color="white" if share > 0.62 else INK, fontsize=8)  # fmt: skip
        for edge in range(1, rows):
            axes.axhline(edge, color="white", linewidth=0.8)
        axes.set(xlim=(0, columns), ylim=(rows, 0))
        axes.set_yticks([y + 0.5 for y in range(rows)],
                        [shortened(f"{x.name} {x.strength}", 36) for x in model.lines])  # fmt: skip
        axes.set_xticks([x + 0.5 for x in range(columns)],
                        [f"{shortened(m.label, 18)}\n" + ("yardstick" if m.yardstick else
                         f"trained: {shortened(m.training, 12)}")
                         for m in model.methods])  # fmt: skip
        axes.xaxis.tick_top()
        axes.tick_params(length=0, labelsize=8, labelcolor=INK)
        axes.spines[:].set_visible(False)

    words = [
        f"{line.threat}: "
        + ", ".join(
            f"{method.label} {show_value(value, unit)}"
            for method, value in zip(model.methods, row, strict=True)
        )
        for line, row in zip(model.lines, values, strict=True)
    ]
    alt = f"{sentence(model.wording.noun)} of every learner under every threat. {'; '.join(words)}."
    return draw("compare-heat-map", alt, (7.2, height), paint)


def draw_ranks(model: CompareModel) -> Drawing:
    """The critical-difference diagram (Demšar 2006): a bar joins those that are not told apart."""
    ranks, total = model.ranking.ranks, len(model.methods)
    order = sorted(range(total), key=lambda i: ranks[i])
    left = order[: (total + 1) // 2]
    depth = len(left)
    bars = len(model.ranking.groups)
    height = 1.05 + 0.13 * bars + 0.26 * depth

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0.3, 0.02, 0.4, 0.96))
        axes.set_axis_off()
        axes.set(xlim=(1, total), ylim=(-0.55 - 0.13 * bars - 0.26 * depth, 0.5))
        axes.plot([1, total], [0, 0], color=INK, linewidth=1)
        for tick in range(1, total + 1):
            axes.plot([tick, tick], [0, 0.06], color=INK, linewidth=1)
            axes.text(tick, 0.1, str(tick), ha="center", va="bottom", fontsize=8, color=MUTED)
        critical = min(model.ranking.critical or 0.0, total - 1)
        axes.plot([1, 1 + critical], [0.36, 0.36], color=MUTED, linewidth=2)
        axes.text(1 + critical / 2, 0.4, f"critical difference {model.ranking.critical:.2f}",
                  ha="center", va="bottom", fontsize=8, color=MUTED)  # fmt: skip
        for place, group in enumerate(model.ranking.groups):
            y = -0.12 - 0.13 * place
            ends = [ranks[group[0]] - 0.03, ranks[group[-1]] + 0.03]
            axes.plot(ends, [y, y], color=INK, linewidth=3.5, solid_capstyle="butt")
        for place, index in enumerate(order):
            near = index in left
            row = place if near else total - 1 - place
            y = -0.32 - 0.13 * bars - 0.26 * row
            edge = 1 - 0.04 * (total - 1) if near else total + 0.04 * (total - 1)
            axes.plot([ranks[index], ranks[index], edge], [0, y, y], clip_on=False,
                      color=series_colour(index), linewidth=1.3)  # fmt: skip
            words = f"{shortened(model.methods[index].label, 28)}  {ranks[index]:.2f}"
            axes.text(edge - 0.02 if near else edge + 0.02, y, words, fontsize=9, va="center",
                      ha="right" if near else "left", clip_on=False)  # fmt: skip

    return draw("compare-ranks", model.ranking.sentence, (5.4, height), paint)


def _differs(model: CompareModel, line: LineView) -> bool:
    return any(line.scores[rival].difference.value is not None for rival in model.rivals)


def _slots(lines: Sequence[LineView]) -> list[LineView | str]:
    """The lines with a heading before each kind."""
    slots: list[LineView | str] = []
    kind = ""
    for line in sorted(lines, key=lambda line: [x.kind for x in lines].index(line.kind)):
        if line.kind != kind:
            slots.append(line.title)
            kind = line.kind
        slots.append(line)
    return slots


def _difference(axes: Axes, line: LineView, rival: int, y: float) -> None:
    score = line.scores[rival]
    if score.difference.value is None:
        return
    found, colour = score.outcome in (BETTER, WORSE), series_colour(rival)
    if score.difference.low is not None and score.difference.high is not None:
        ends = [score.difference.low, score.difference.high]
        axes.plot(ends, [y, y], color=colour, linewidth=1.6, alpha=1 if found else 0.5)
    face = colour if found else "none"
    axes.plot([score.difference.value], [y], "o", color=colour, markersize=5, markerfacecolor=face)


def _legend(figure: Figure, axes: Axes, model: CompareModel, *, several: bool) -> None:
    names = [model.methods[i].marked for i in model.rivals]
    handles = [
        Line2D([], [], color=series_colour(i), linewidth=3, label=shortened(name, 28))
        for i, name in zip(model.rivals, names, strict=True)
        if several
    ]
    for outcome, face in (("difference found", MUTED), (UNCLEAR, "none")):
        handles.append(Line2D([], [], color=MUTED, marker="o", linestyle="none",
                              markerfacecolor=face, label=outcome))  # fmt: skip
    figure.legend(handles=handles, loc="lower right", ncols=3, borderaxespad=0, handlelength=1.4,
                  bbox_to_anchor=(1, 1.005), bbox_transform=axes.transAxes,
                  columnspacing=1.2)  # fmt: skip


def _in_words(model: CompareModel, line: LineView) -> str:
    digits = model.wording.digits
    parts = [
        f"{model.methods[i].label} {signed(line.scores[i].difference.value, digits)}, "
        f"{line.scores[i].outcome}"
        for i in model.rivals
    ]
    return f"{line.threat}: {'; '.join(parts)}."
