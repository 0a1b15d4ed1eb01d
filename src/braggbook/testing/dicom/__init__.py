"""Small valid DICOM objects made by code: the same bytes from the same seed, on every machine.

Objects of one seed belong to one patient, study and frame of reference, so that they may refer to each other.
"""

from braggbook.testing.dicom.common import code, item, make_uid, set_tags, write_dicom
from braggbook.testing.dicom.enhanced import concatenation, make_enhanced
from braggbook.testing.dicom.projections import make_mammography, make_us
from braggbook.testing.dicom.radiotherapy import make_rtdose, make_rtplan, make_rtstruct
from braggbook.testing.dicom.reports import make_rdsr
from braggbook.testing.dicom.series import example_grid, make_series, write_series
from braggbook.testing.dicom.validate import standard_errors

__all__ = [
    "code",
    "concatenation",
    "example_grid",
    "item",
    "make_enhanced",
    "make_mammography",
    "make_rdsr",
    "make_rtdose",
    "make_rtplan",
    "make_rtstruct",
    "make_series",
    "make_uid",
    "make_us",
    "set_tags",
    "standard_errors",
    "write_dicom",
    "write_series",
]
