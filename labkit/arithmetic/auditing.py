"""The checker of a hand count: which lines are wrong, and which mistake was made.

A mistake is recognised by its number: for each layer a family of known mistakes is worked out (a bias for
each input channel, biases forgotten, a kernel of another size ...), and the value of the student's formula is
looked up in it. Pure Python: needs no torch. Introduced in lab 01.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, prod
from textwrap import fill

from labkit.arithmetic.formulas import evaluate
from labkit.arithmetic.hand_count import ByHand, Line, by_hand
from labkit.arithmetic.layers import Conv, ConvTranspose, Linear, at
from labkit.arithmetic.memory import MB, MIB
from labkit.arithmetic.sizes import Axes
from labkit.base.checks import whole
from labkit.base.errors import ConfigError
from labkit.base.tables import Table

KINDS = "formula", "arithmetic", "unreadable", "name", "missing", "extra", "sum", "total", "bytes"
BYTES_EACH = 4  # float32
MOST_LINES = 4  # a gap in a sum is explained by at most so many lines,
MOST_TRIES = 200_000  # and only as far as there are at most so many ways to choose them


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: one of `KINDS`.
        line: number of the student's line, from 1; None where it concerns no single line.
        name: the layer.
        says: what is wrong, what it is taken for, and what is right.
    """

    kind: str
    line: int | None
    name: str
    says: str

    def __str__(self) -> str:
        where = f"line {self.line}, {self.name}" if self.line else self.name
        return fill(f"{where}, {self.kind}: {self.says}", width=100, subsequent_indent="    ")


@dataclass(frozen=True)
class Audit(Table):
    """What `audit` found; prints as a table.

    Attributes:
        findings: in the order of the lines, then those about the sum, the total and the bytes.
        correct: the right count, line by line.
        sum_of_lines: what the student's values add up to.
        total: the total that the student states, or None.
    """

    findings: tuple[Finding, ...]
    correct: ByHand
    sum_of_lines: int
    total: int | None

    @property
    def correct_total(self) -> int:
        """The right number of parameters."""
        return self.correct.total

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def of(self, kind: str) -> list[Finding]:
        """Return the findings of one kind."""
        return [f for f in self.findings if f.kind == kind]

    def _table(self):
        rows = [[str(f.line or ""), f.name, f.kind, f.says] for f in self.findings]
        notes = [f"The lines add up to {self.sum_of_lines:,}; right is {self.correct_total:,}."]
        return ["line", "layer", "kind", "finding"], rows or [["", "", "", "Nothing is wrong."]], notes

    def __str__(self) -> str:
        *texts, last = [str(f) for f in self.findings] + self._table()[2]
        return "\n".join([*texts, last] if texts else ["Nothing is wrong.", last])


def audit(
    lines: Sequence[tuple[str, str, int]],
    total: int | None = None,
    network="D",
    *,
    size_bytes: int | None = None,
    mebibytes: float | None = None,
    input_size: Axes = 224,
    in_channels: int = 3,
) -> Audit:
    """Check a hand count of parameters line by line. Introduced in lab 01.

    Args:
        lines: (name, formula, value) for each layer with parameters, such as
            ("conv3-64", "(3*3*3+1)*64", 1792);
            names as `by_hand` gives them; with an empty formula only the value is checked.
        total: the total that was stated, or None.
        network: what should have been counted, as in `by_hand`: "A" to "E" of VGG, or layers.
        size_bytes: the stated memory of the parameters in bytes (float32), or None.
        mebibytes: the same in units of 2^20 bytes, as it was rounded, or None.
        input_size, in_channels: the images, as `by_hand` takes them.

    Returns:
        An `Audit`: `.findings`, `.ok`, `.correct_total`, `.sum_of_lines`.

    Raises:
        ConfigError: lines that are not (name, formula, whole number), or an unknown network.

    >>> from labkit.arithmetic.layers import Conv
    >>> print(audit([("conv3-64", "3*3*3*64", 1728)], network=[Conv(64, kernel_size=3)]))
    line 1, conv3-64, formula: forgets the biases, one for each output channel. Right: (3*3*3+1)*64 =
        1,792, not 1,728.
    The lines add up to 1,728; right is 1,792.
    """
    lines = [_checked(line) for line in lines]
    correct = by_hand(network, input_size, in_channels)
    sizes = _sizes_in(correct)
    findings = []
    pairs = _align(lines, correct.lines, sizes)
    for number, expected in pairs:
        if expected is None:
            assert number is not None  # a pair has a line, or a layer, or both
            name, _, value = lines[number]
            findings.append(Finding("extra", number + 1, name, f"this line of {value:,} belongs to no layer."))
        elif number is None:
            says = f"the layer has no line: {expected.formula} = {expected.count:,}."
            findings.append(Finding("missing", None, expected.name, says))
        else:
            findings += _check_line(number + 1, *lines[number], expected, sizes)
    summed = sum(value for _, _, value in lines)
    if total is not None:
        findings += _check_total(whole("total", total, 0), lines, pairs, correct.total)
    findings += _check_bytes(size_bytes, mebibytes, summed if total is None else total, correct.total)
    return Audit(tuple(findings), correct, summed, total)


def _checked(line) -> tuple[str, str, int]:
    """Return a student's line as (name, formula, value); raise `ConfigError` if it is none."""
    if not isinstance(line, (tuple, list)) or len(line) != 3:
        raise ConfigError(f'A line must be (name, formula, value), as ("fc-10", "(50+1)*10", 510); got {line!r}.')
    name, formula, value = line
    if not isinstance(name, str):
        raise ConfigError(f"The name of a line must be a string, got {name!r}.")
    return name, formula or "", whole(f"The value of {name}", value, 0)


# -- which line is which layer --


def _align(lines, expected: Sequence[Line], sizes) -> list[tuple[int | None, Line | None]]:
    """Pair lines with layers, in order, so that as many as possible fit; the rest is missing or extra.

    Longest common subsequence, weighted by `_likeness`.
    """
    known = [set(mistakes(e, sizes)) for e in expected]
    weight = [[_likeness(line, *pair) for pair in zip(expected, known, strict=True)] for line in lines]
    best = [[0] * (len(expected) + 1) for _ in range(len(lines) + 1)]  # of lines[i:] and expected[j:]
    for i in reversed(range(len(lines))):
        for j in reversed(range(len(expected))):
            pair = best[i + 1][j + 1] + weight[i][j]
            best[i][j] = max(pair, best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(lines) or j < len(expected):
        both = i < len(lines) and j < len(expected)
        if both and best[i][j] == best[i + 1][j + 1] + weight[i][j]:
            pairs.append((i, expected[j]))
            i, j = i + 1, j + 1
        elif i < len(lines) and (j == len(expected) or best[i][j] == best[i + 1][j]):
            pairs.append((i, None))
            i += 1
        else:
            pairs.append((None, expected[j]))
            j += 1
    return pairs


def _likeness(line, expected: Line, known: set[int]) -> int:
    """Return how well a line fits: 8 for its name, 4 for its number or 2 for a known mistake, 1 for any line.

    So a line in the right place with a wrong name and a wrong number is still taken for that layer's line.
    """
    name, formula, value = line
    numbers = {value, _result(formula, value)}
    number = 4 if expected.count in numbers else 2 if numbers & known else 0
    return 1 + 8 * (_plain(name) == _plain(expected.name)) + number


def _plain(name: str) -> str:
    return "".join(name.lower().split())


# -- one line --


def _check_line(number: int, name: str, formula: str, value: int, expected: Line, sizes) -> Iterator[Finding]:
    """Yield what is wrong with one line."""
    if _plain(name) != _plain(expected.name):
        yield Finding("name", number, name, f"the layer here is {expected.name}.")
    right = f"Right: {expected.formula} = {expected.count:,}"
    result = _result(formula, value)
    if formula:
        try:
            evaluate(formula)
        except ConfigError as error:
            yield Finding("unreadable", number, name, str(error))
    if result != expected.count:
        why = mistakes(expected, sizes).get(result, "is not the number of parameters of this layer")
        yield Finding("formula", number, name, f"{why}. {right}, not {result:,}.")
    if value != result:
        note = f"the formula gives {result:,}, the line says {value:,}{_slip(result, value)}."
        yield Finding("arithmetic", number, name, note)


def _slip(right: int, written: int) -> str:
    """Say what kind of slip took one number for another, if it is a common one."""
    a, b = str(right), str(written)
    if a.rstrip("0") == b.rstrip("0") and a != b:
        return f" ({abs(len(a) - len(b))} zero{'s' * (abs(len(a) - len(b)) > 1)} at the end lost or added)"
    if sorted(a) == sorted(b):
        return " (digits changed places)"
    return ""


def mistakes(expected: Line, sizes: Sequence[int] = ()) -> dict[int, str]:
    """Return the known mistakes for a layer: the number that each gives, and what it is in words.

    Args:
        expected: a line of `by_hand`.
        sizes: other channel and feature counts of the network, which may have been taken by mistake.

    >>> mistakes(by_hand("D").lines[0])[1728]
    'forgets the biases, one for each output channel'
    """
    if isinstance(expected.layer, (Conv, ConvTranspose)):
        usual, rare = _conv_mistakes(expected), _conv_mix_ups(expected, sizes)
    elif isinstance(expected.layer, Linear):
        usual, rare = _linear_mistakes(expected), _linear_mix_ups(expected, sizes)
    else:
        usual, rare = [], []
    causes = {}
    for number, cause in usual:
        causes[number] = f"{causes[number]}, or {cause}" if number in causes else cause
    for number, cause in rare:  # a number that a usual mistake explains needs no rare one
        causes.setdefault(number, cause)
    causes.pop(expected.count, None)
    return causes


def _conv_mistakes(line: Line) -> list[tuple[int, str]]:
    """Usual mistakes in counting a convolution of kernel area a, c channels in (of a group), o out."""
    layer = line.layer
    sides = [at(layer.kernel_size, axis) for axis in range(len(line.shape) - 1)]
    a, o, all_in = prod(sides), layer.out_channels, line.shape[0]
    c = all_in // layer.groups
    bias = o if layer.bias else 0
    return [
        ((a + 1) * c * o, "counts a bias for each input channel of a kernel, which has one bias in all"),
        (a * c * o, "forgets the biases, one for each output channel"),
        ((a * c + 1) * o, "counts biases, which this layer does not have"),
        (a * c * o + all_in, "counts one bias for each input channel, not for each output channel"),
        (a * c * o + 1, "counts one bias for the whole layer, not for each output channel"),
        (a * c * o + 2 * o, "counts the biases twice"),
        (2 * a * c * o, "counts a bias for each weight"),
        ((a * all_in + 1) * o, "forgets that the channels are split into groups"),
        (c * o + bias, "leaves out the size of the kernel"),
        (sides[0] * c * o + bias, "takes one side of the kernel for its area"),
        (a * o + bias, "leaves out the input channels"),
        (a * c + 1, "leaves out the output channels"),
        (a * c, "leaves out the output channels and the bias"),
        ((a * o + 1) * c, "swaps input and output channels"),
        (a * c * o * prod(layer.out(line.shape)[1:]), "counts multiply-adds, not parameters"),
    ]


def _conv_mix_ups(line: Line, sizes) -> list[tuple[int, str]]:
    """Numbers of another layer, or another kernel, taken for those of this convolution."""
    layer, axes = line.layer, len(line.shape) - 1
    a, o = prod(at(layer.kernel_size, axis) for axis in range(axes)), layer.out_channels
    c = line.shape[0] // layer.groups
    bias = o if layer.bias else 0
    numbers = []
    for side in range(1, 12):
        says = f"takes a kernel of {' × '.join([str(side)] * axes)}"
        numbers.append((side**axes * c * o + bias, says))
        numbers.append(((side**axes + 1) * c * o, f"{says}, and a bias for each input channel of a kernel"))
    for n in sizes:
        numbers.append((a * n * o + bias, f"takes {n} input channels in place of {c}"))
        numbers.append((a * c * n + (n if bias else 0), f"takes {n} output channels in place of {o}"))
        numbers.append((a * c * o + n, f"counts {n} biases; there are {bias}"))
    return numbers


def _linear_mistakes(line: Line) -> list[tuple[int, str]]:
    """Usual mistakes in counting a fully connected layer of i features in and o out."""
    i, o = line.shape[0], line.layer.out_features
    bias = o if line.layer.bias else 0
    numbers = [
        (i * o, "forgets the biases, one for each output"),
        (i * o + i, f"counts a bias for each of the {i} inputs, not for each of the {o} outputs"),
        ((i + 1) * o, "counts biases, which this layer does not have"),
        (i * o + 1, "counts one bias for the whole layer, not for each output"),
        (i * o + 2 * o, "counts the biases twice"),
        (2 * i * o, "counts a bias for each weight"),
        (i + o, "adds inputs and outputs in place of multiplying them"),
    ]
    channels, *pixels = line.map_shape
    if pixels:
        numbers.append((channels * o + bias, "leaves out the pixels of the last map"))
        numbers.append((prod(pixels) * o + bias, "leaves out the channels of the last map"))
        numbers.append((pixels[0] * channels * o + bias, "takes one side of the last map for its area"))
    return numbers


def _linear_mix_ups(line: Line, sizes) -> list[tuple[int, str]]:
    """Numbers of another layer, or of another map, taken for those of this fully connected layer."""
    i, o = line.shape[0], line.layer.out_features
    bias = o if line.layer.bias else 0
    channels, *pixels = line.map_shape
    numbers = []
    for side in range(1, 2 * max(pixels, default=0) + 1):
        says = f"takes a last map of {' × '.join([str(side)] * len(pixels))} pixels"
        numbers.append((side ** len(pixels) * channels * o + bias, says))
    for n in sizes:
        numbers.append((n * o + bias, f"takes {n} inputs in place of {i}"))
        numbers.append((i * n + (n if bias else 0), f"takes {n} outputs in place of {o}"))
        numbers.append((i * o + n, f"counts {n} biases; there are {bias}"))
    return numbers


def _sizes_in(correct: ByHand) -> list[int]:
    """Return the numbers of channels and features that occur in a network."""
    sizes = {line.shape[0] for line in correct.lines}
    for line in correct.lines:
        sizes.add(getattr(line.layer, "out_channels", 0) or getattr(line.layer, "out_features", 0))
    return sorted(sizes - {0})


# -- the sum, the total and the bytes --


def _check_total(total: int, lines, pairs, right: int) -> Iterator[Finding]:
    """Yield what is wrong with the stated total: as a sum of the lines, and as a number of parameters."""
    summed = sum(value for _, _, value in lines)
    if total != summed:
        gap = abs(summed - total)
        side = "less" if total < summed else "more"
        says = f"the lines add up to {summed:,}; the stated {total:,} is {gap:,} {side}. "
        yield Finding("sum", None, "total", says + _explain(lines, pairs, total - summed))
    if total != right:
        says = f"{total:,} is {abs(total - right):,} too {'many' if total > right else 'few'}. Right: {right:,}."
        yield Finding("total", None, "total", says)


def _explain(lines, pairs, gap: int) -> str:
    """Say what makes up the gap, total less sum of the lines: lines that are missing, or a few lines."""
    if gap == sum(expected.count for number, expected in pairs if number is None):
        return "That is what the missing lines are worth: the total is right, a line is not written down."
    if gap == sum(_result(formula, value) - value for _, formula, value in lines):
        return "The total adds up what the formulas give, not what the lines say."
    for count in range(1, min(MOST_LINES, len(lines)) + 1):
        if comb(len(lines), count) > MOST_TRIES:
            break
        for chosen in combinations(range(len(lines)), count):
            if sum(lines[i][2] for i in chosen) == abs(gap):
                names = " and ".join(f"line {i + 1} ({lines[i][0]}, {lines[i][2]:,})" for i in chosen)
                return f"That is {names}, {'left out of' if gap < 0 else 'twice in'} the sum."
    return "No few lines make up that gap: add them again."


def _result(formula: str, value: int) -> int:
    """Return what a formula gives, or the line's value where there is none that can be read."""
    try:
        return evaluate(formula) if formula else value
    except ConfigError:
        return value


def _check_bytes(size_bytes, mebibytes, total: int, right: int) -> Iterator[Finding]:
    """Yield what is wrong with the stated memory: for the stated total, for the right one, in its unit."""
    if size_bytes is not None:
        size_bytes = whole("size_bytes", size_bytes, 0)
        if size_bytes != BYTES_EACH * total:
            says = f"{total:,} parameters of 4 bytes are {BYTES_EACH * total:,} bytes, not {size_bytes:,}."
            yield Finding("bytes", None, "bytes", says)
        elif total != right:
            says = f"{size_bytes:,} is 4 bytes for each of the {total:,}; "
            says += f"right is 4 * {right:,} = {4 * right:,}."
            yield Finding("bytes", None, "bytes", says)
    if mebibytes is None:
        return
    if isinstance(mebibytes, bool) or not isinstance(mebibytes, (int, float)):
        raise ConfigError(f"mebibytes must be a number, got {mebibytes!r}.")
    stated, correct = (BYTES_EACH * total if size_bytes is None else size_bytes), BYTES_EACH * right
    if not _rounds_to(stated / MIB, mebibytes):
        unit = " That would be right in MB, units of 10^6 bytes." if _rounds_to(stated / MB, mebibytes) else ""
        says = f"{stated:,} bytes are {stated / MIB:,.1f} MiB (2^20 bytes), not {mebibytes:,}.{unit}"
        yield Finding("bytes", None, "MiB", says)
    elif stated != correct:
        says = f"{mebibytes:,} MiB fits {stated:,} bytes; "
        says += f"the right {correct:,} bytes are {correct / MIB:,.1f} MiB."
        yield Finding("bytes", None, "MiB", says)


def _rounds_to(exact: float, written: float) -> bool:
    """Say whether a number, rounded or cut to the decimals that were written, is what was written."""
    decimals = len(str(written).partition(".")[2]) if isinstance(written, float) else 0
    return abs(exact - written) < 10**-decimals
