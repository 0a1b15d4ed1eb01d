"""Where the constants of the RBE models were read, beside the papers that the models cite."""

from braggbook.radiobiology.constants import Source

REVIEW = Source(
    "review",
    "review of phenomenological proton RBE models, Br J Radiol 93 (2020) 20190334, Table 1, doi:10.1259/bjr.20190334",
)
RBE_MODELS = Source(
    "RBEModels", "S. J. McMahon, RBEModels.py after Rørvik et al. 2018, GitHub sjmcmahon/RBEModels, commit fa54155"
)
MATRAD = Source("matRad", "matRad, its models of proton and helium RBE, GitHub e0404/matRad")
LIBAMTRACK = Source("libamtrack", "libamtrack, AT_ProtonAnalyticalModels.c, GitHub libamtrack/library, commit 0eb54f0")
FRED = Source("FRED", "manual of the Monte Carlo code FRED, Radiobiology, GitHub Fred-org/FRED-docs, commit 1c8f1b8")
