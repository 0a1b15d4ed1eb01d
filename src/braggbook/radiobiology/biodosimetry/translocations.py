"""Chromosome painting: which share of all exchanges is seen, and yields for the whole genome.

Painting shows exchanges between a painted and an unpainted chromosome, or between two of different colours. If
exchanges happen in proportion to DNA content, the share of all exchanges that is seen is

    F_p / F_G = (2 / 0.974) [ sum_i f_i (1 - f_i) - sum_{i<j} f_i f_j ],

with f_i the share of the genome that has colour i. A cell then counts as that many cell equivalents.

Sources: J. N. Lucas et al., Int J Radiat Biol 62 (1992) 53-63, doi:10.1080/09553009214551821 (one colour); IAEA,
EPR-Biodosimetry 2011, Vienna 2011 (several); DNA content: N. E. Morton, Proc Natl Acad Sci USA 88 (1991) 7474-7476.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, get_args

from braggbook.errors import Issue, ScienceError, unknown_name
from braggbook.radiobiology.constants import Source, constant

Sex = Literal["female", "male"]

_EXACT = Source("biodosetools", "R package biodosetools 3.7.2, calculate_genome_factor: 2 / 0.974")
_LUCAS = Source("Lucas 1992", "J. N. Lucas et al., Int J Radiat Biol 62 (1992) 53-63: 2.05, printed with three digits")
EXCHANGE_FACTOR = constant(
    "translocations.exchange_factor",
    unit="1",
    readings={_EXACT: 2.0 / 0.974, _LUCAS: 2.05},
    ruling="one number, 2 / 0.974 = 2.0534, of which the second is a rounding; 0.974 is the share of random "
    "exchanges that join two different chromosomes",
)

# DNA content of each chromosome in Mb, as Morton 1991 gives it: a table of data, equal to the one that biodosetools
# ships under his name.
_AUTOSOMES_MB = (
    *(263.0, 255.0, 214.0, 203.0, 194.0, 183.0, 171.0, 155.0, 145.0, 144.0, 144.0),
    *(143.0, 114.0, 109.0, 106.0, 98.0, 92.0, 85.0, 67.0, 72.0, 50.0, 56.0),
)
DNA_CONTENT_MB: Mapping[str, float] = MappingProxyType(
    {**{str(number): size for number, size in enumerate(_AUTOSOMES_MB, start=1)}, "X": 164.0, "Y": 59.0}
)
"""DNA content of each human chromosome in Mb, by name."""


def genome_share(chromosomes: Sequence[int | str], *, sex: Sex) -> float:
    """Returns the share of the genome that these chromosome pairs hold.

    Args:
        chromosomes: Numbers 1 to 22, "X" or "Y", each pair once.
        sex: "female" or "male": how many X and Y there are.

    Raises:
        ScienceError: A chromosome is there twice, or a woman's Y is named.
        UnknownName: There is no such chromosome, or ``sex`` is not known.
    """
    if sex not in get_args(Sex):
        raise unknown_name("sex", str(sex), get_args(Sex))
    if not isinstance(chromosomes, list | tuple | range | set | frozenset):
        raise ScienceError("not a list of chromosomes", wanted="for example [1, 2, 4]", got=repr(chromosomes))
    names = [str(name).upper() for name in chromosomes]
    for name in names:
        if name not in DNA_CONTENT_MB:
            raise unknown_name("chromosome", name, DNA_CONTENT_MB)
    issues = [Issue("named twice", where=f"chromosome {name}") for name in sorted(set(names)) if names.count(name) > 1]
    if sex == "female" and "Y" in names:
        issues.append(Issue("no such chromosome in a female", where="chromosome Y"))
    if issues:
        raise ScienceError("the painted chromosomes are not usable", issues=issues)
    copies = dict.fromkeys(DNA_CONTENT_MB, 2) | ({"X": 2, "Y": 0} if sex == "female" else {"X": 1, "Y": 1})
    total = sum(copies[name] * size for name, size in DNA_CONTENT_MB.items())
    return sum(copies[name] * DNA_CONTENT_MB[name] for name in names) / total


def genome_factor(painted: Mapping[str, Sequence[int | str]], *, sex: Sex) -> float:
    """Returns the share of all exchanges that a set of paints shows, F_p / F_G.

    Args:
        painted: Chromosomes of each colour, for example ``{"red": [1, 2, 4], "green": [3, 5, 6]}``.
        sex: "female" or "male".

    Raises:
        ScienceError: Nothing is painted, a chromosome has two colours, or all chromosomes have one.
        UnknownName: There is no such chromosome, or ``sex`` is not known.
    """
    if not isinstance(painted, Mapping) or not painted or any(names in ([], ()) for names in painted.values()):
        raise ScienceError("nothing is painted", wanted='for example {"red": [1, 2, 4]}', got=repr(painted))
    shares = [genome_share(chromosomes, sex=sex) for chromosomes in painted.values()]
    names = [str(name).upper() for chromosomes in painted.values() for name in chromosomes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ScienceError("a chromosome is painted twice", got=", ".join(twice))
    squares = sum(share**2 for share in shares)
    between = (sum(shares) ** 2 - squares) / 2.0
    seen = sum(shares) - squares - between
    if seen <= 1e-12:
        raise ScienceError("no exchange would be seen: everything has one colour", got=repr(dict(painted)))
    return EXCHANGE_FACTOR.value * seen
